-- record_domain_check: writes down what a look at DNS found, and does what follows. A domain is verified by the first look
-- that proves it, and from then on for one organization only: another that proved it earlier loses it in the same
-- transaction. It is lost when three looks in a row, over a day or longer, did not find the proof; a look that got no answer
-- counts neither way. Mail of a lost domain is held, and released when it is verified again. A key signs once DNS shows it;
-- the ones it replaces should stay in DNS for a week, and are deleted then.
--
-- p_token: the token that was looked for; a look at another one says nothing. p_started: when the look began; it does not
-- overrule a later one. p_check: {proof: proved | missing | unknown, reason, records, shown and absent (selectors), returnPath,
-- receiving, tracking (true, false, or null: no answer)}. Returns the status, null when the look said nothing.
create or replace function postel.record_domain_check(
  p_id uuid,
  p_token text,
  p_started timestamptz,
  p_check jsonb,
  p_now timestamptz default clock_timestamp()
)
returns text
language plpgsql
as $$
declare
  v_checks_to_lose constant integer := 3;
  v_time_to_lose constant interval := interval '24 hours';
  v_key_overlap constant interval := interval '7 days';
  v_before postel.domains;
  v_domain postel.domains;
  v_other uuid;
  v_shown text[] := array(select jsonb_array_elements_text(p_check -> 'shown'));
  v_absent text[] := array(select jsonb_array_elements_text(p_check -> 'absent'));
  v_proof text := p_check ->> 'proof';
  v_reason text := coalesce(p_check ->> 'reason', 'Its records are not in DNS.');
  v_keys integer;
  v_lost boolean := false;
  v_in_question boolean := false;
  v_verified boolean := false;
begin
  -- One at a time for a name, whoever has it: two organizations may prove it at the same moment
  perform pg_advisory_xact_lock(hashtextextended('postel.domains ' || d.name, 0)) from postel.domains d where d.id = p_id;
  select d.* into v_before from postel.domains d where d.id = p_id for update;
  if v_before.id is null or v_before.verification_token is distinct from p_token
    or (v_before.checked_at > p_started and v_proof <> 'proved') then
    return null;
  end if;

  with activated as (
    update postel.dkim_keys k set active = true
    where k.domain_id = p_id and k.selector = any (v_shown) and not k.active and k.retires_at is null
    returning k.id
  ),
  -- Its signatures would be worthless; an RSA key signs on, because mail without a signature is worse off
  silenced as (
    update postel.dkim_keys k set active = false
    where k.domain_id = p_id and k.selector = any (v_absent) and k.active and k.algorithm <> 'rsa-sha256'
      and p_token is not null
    returning k.id
  ),
  gone as (
    delete from postel.dkim_keys k where k.domain_id = p_id and k.retires_at < p_now
    returning k.id
  )
  select (select count(*) from activated) + (select count(*) from silenced) + (select count(*) from gone) into v_keys;
  with retired as (
    update postel.dkim_keys k set active = false, retires_at = p_now + v_key_overlap
    where k.domain_id = p_id and k.active and exists (
      select from postel.dkim_keys n
      where n.domain_id = p_id and n.algorithm = k.algorithm and n.active and n.selector = any (v_shown)
        and (n.created_at, n.id) > (k.created_at, k.id)
    )
    returning k.id
  )
  select v_keys + count(*) into v_keys from retired;

  v_verified := v_proof = 'proved' and v_before.status <> 'verified';
  if v_proof = 'missing' and v_before.status = 'verified' and p_token is not null then
    v_in_question := v_before.failing_since is null;
    v_lost := v_before.failed_checks + 1 >= v_checks_to_lose and v_before.failing_since <= p_now - v_time_to_lose;
  end if;
  if v_proof = 'proved' then
    for v_other in
      select d.id from postel.domains d
      where d.name = v_before.name and d.id <> p_id and d.status = 'verified'
      for update
    loop
      perform postel.supersede_domain(v_other, p_now);
    end loop;
  end if;

  update postel.domains d
  set
    status = case when v_proof = 'proved' then 'verified' when v_lost then 'failed' else d.status end,
    verified_at = case when v_verified then p_now when v_lost then null else d.verified_at end,
    superseded_at = case when v_proof = 'proved' then null else d.superseded_at end,
    failing_since = case
      when v_proof = 'proved' then null when v_in_question then p_now else d.failing_since
    end,
    failed_checks = case
      when v_proof = 'proved' then 0 when v_proof = 'missing' then d.failed_checks + 1 else d.failed_checks
    end,
    return_path_verified_at = case (p_check ->> 'returnPath')::boolean
      when true then coalesce(d.return_path_verified_at, p_now)
      when false then null
      else d.return_path_verified_at
    end,
    receiving_verified_at = case (p_check ->> 'receiving')::boolean
      when true then coalesce(d.receiving_verified_at, p_now)
      when false then null
      else d.receiving_verified_at
    end,
    tracking_verified_at = case (p_check ->> 'tracking')::boolean
      when true then coalesce(d.tracking_verified_at, p_now)
      when false then null
      else d.tracking_verified_at
    end,
    checks = jsonb_build_object('records', p_check -> 'records'),
    checked_at = p_now
  where d.id = p_id
  returning d.* into v_domain;
  update postel.domains d
  set next_check_at = postel.next_domain_check(v_domain, v_proof = 'unknown', p_now)
  where d.id = p_id;

  if v_verified then
    perform postel.release_verified(v_domain.organization_id, v_domain.name);
  end if;
  if v_lost then
    perform postel.hold_unverified(v_domain.organization_id, v_domain.name);
    perform postel.send_notice(
      v_domain.organization_id,
      format('%s is not verified any more', v_domain.name),
      format(
        E'For more than a day DNS has not shown that %1$s is yours, so your mail from it is held and nothing is lost.\n\n%2$s\n\nOnce the record is back your mail goes on by itself.\n',
        v_domain.name, v_reason
      )
    );
  elsif v_in_question then
    perform postel.send_notice(
      v_domain.organization_id,
      format('%s is about to lose its verification', v_domain.name),
      format(
        E'DNS does not show any more that %1$s is yours. Mail from it is still sent, and will be held when this lasts for a day.\n\n%2$s\n',
        v_domain.name, v_reason
      )
    );
  end if;
  if v_verified or v_lost or v_in_question or v_keys > 0
    or postel.domain_status(v_before) <> postel.domain_status(v_domain) then
    perform postel.domain_event(v_domain, 'domain.updated');
  end if;
  return postel.domain_status(v_domain);
end
$$;
comment on function postel.record_domain_check(uuid, text, timestamptz, jsonb, timestamptz) is
  'Writes down what a look at the DNS records of a domain found, and does what follows from it.';
