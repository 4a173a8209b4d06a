-- submit_batch: stores a whole batch of messages in one statement of one transaction, or none of them.
-- For each message: its row, its body, its tags, one delivery per recipient, one queue row per recipient domain (or a waiting
-- row when it is scheduled or no IP is usable), and an `accepted` event. Suppressed recipients start, and end, as
-- `suppressed`. Mail of an organization that may not send (no_sending, frozen) starts as `held`.
--
-- p_messages: a JSON array; of each element
--   org, prj (uuid), src (smtp | rest | sql), efrom (envelope sender), sdom (signing domain or null), mid, hfrom, subj,
--   size (bytes before encoding), off and len (its slice of p_bodies, off from 1), enc (see message_bodies.encoding),
--   det (details or null), prio (0 to 100; null: its project's), exp (seconds that it is worth sending; never longer
--   than its project allows), send_at (or null), rcpt and rdom (addresses and their domains, position by position),
--   test (true: it only goes to the sandbox mailbox), blk (the block of quota that it is counted against; one that has
--   ended stores nothing, with SQLSTATE PQ001)
-- p_bodies: all bodies one after the other, so that they travel as one binary parameter.
-- Returns the ids in the order given, the IPs that have new work, and when scheduled mail becomes due.
create or replace function postel.submit_batch(
  p_messages json,
  p_bodies bytea,
  p_now timestamptz default clock_timestamp(),
  out message_ids uuid[],
  out ip_ids integer[],
  out due timestamptz[]
)
language plpgsql
-- A generic plan, planned once per connection: planning this statement takes longer than running it.
set plan_cache_mode = force_generic_plan
as $$
declare
  v_messages text := p_messages::text;
  v_ended boolean;
begin
  with input as materialized (
    select postel.uuid_v7() as id, t.*
    from rows from (
      json_to_recordset(p_messages) as (
        org uuid, prj uuid, src text, efrom text, sdom text, mid text, hfrom text, subj text,
        size integer, off integer, len integer, enc smallint, det jsonb, prio smallint, exp integer,
        send_at timestamptz, rcpt text[], rdom text[], test boolean, blk uuid
      )
    ) with ordinality as t (
      org, prj, src, efrom, sdom, mid, hfrom, subj, size, off, len, enc, det, prio, exp, send_at, rcpt, rdom, test, blk,
      position
    )
  ),
  -- Which project's pool, until when, how urgent, and which IPs: once per message
  planned as materialized (
    select
      i.*, coalesce(i.prio, p.priority) as priority, u.ips, u.bounds, u.total, u.reason,
      case when o.status in ('no_sending', 'frozen')
        then 'organization stopped: ' || coalesce(o.status_reason, 'no reason given') end as stopped,
      greatest(coalesce(i.send_at, p_now), p_now)
        + make_interval(secs => least(i.exp, p.expire_after_seconds)) as expires_at
    from input i
    join postel.projects p on p.id = i.prj and p.organization_id = i.org and p.deleted_at is null
    join postel.organizations o on o.id = i.org
    left join postel.usable_ips(array(select distinct input.prj from input), p_now) as u on u.project_id = i.prj
  ),
  stored_messages as (
    insert into postel.messages (
      id, created_at, expires_at, organization_id, project_id, size_bytes, recipient_count, source,
      envelope_from, signing_domain, message_id_header, header_from, subject, details, test
    )
    select
      l.id, p_now, l.expires_at, l.org, l.prj, l.size, cardinality(l.rcpt), l.src, l.efrom, l.sdom, l.mid, l.hfrom,
      l.subj, l.det, coalesce(l.test, false)
    from planned l
  ),
  stored_bodies as (
    insert into postel.message_bodies (message_id, encoding, body)
    select l.id, l.enc, substring(p_bodies from l.off for l.len)
    from planned l
  ),
  recipients as materialized (
    select
      l.id, l.org, l.prj, l.priority as prio, l.send_at, l.size, l.expires_at, l.reason, l.stopped,
      r.address, r.domain, r.number::smallint as number,
      -- a draw that falls the same for all recipients of one domain
      l.ips[1 + width_bucket(
        (hashtextextended(r.domain, uuid_hash_extended(l.id, 0)) & 2147483647) / 2147483648.0::double precision * l.total,
        l.bounds
      )] as ip_id,
      exists (
        select from postel.suppressions s
        where s.organization_id = l.org and s.address in (lower(r.address), postel.address_hash(r.address))
          and (s.project_id is null or s.project_id = l.prj)
          and (s.expires_at is null or s.expires_at > p_now)
      )
      -- Test mail meets what the address is called
      or (l.test is true and lower(r.address) ~ '^suppressed(\+[^@]*)?@') as suppressed
    from planned l
    cross join lateral unnest(l.rcpt, l.rdom) with ordinality as r (address, domain, number)
  ),
  stored_deliveries as (
    insert into postel.deliveries (
      message_id, number, state, created_at, updated_at, ip_id, ip_reason, recipient, domain
    )
    select
      r.id, r.number,
      case
        when r.suppressed then 'suppressed'
        when r.stopped is not null then 'held'
        when r.send_at > p_now then 'scheduled'
        when r.ip_id is null then 'deferred'
        else 'queued'
      end,
      p_now, p_now, r.ip_id, r.reason, r.address, r.domain
    from recipients r
  ),
  sendable as materialized (
    select
      r.id, r.org, r.prj, r.prio, r.send_at, r.size, r.expires_at, r.stopped, r.domain, r.ip_id,
      array_agg(r.number order by r.number) as numbers,
      array_agg(r.address order by r.number) as addresses
    from recipients r
    where not r.suppressed
    group by r.id, r.org, r.prj, r.prio, r.send_at, r.size, r.expires_at, r.stopped, r.domain, r.ip_id
  ),
  queued as (
    insert into postel.queue (
      ip_id, priority, attempts, lost_holders, size_bytes, expires_at, message_id, organization_id, project_id, queued_at, domain, numbers,
      recipients
    )
    select s.ip_id, s.prio, 0, 0, s.size, s.expires_at, s.id, s.org, s.prj, p_now, s.domain, s.numbers, s.addresses
    from sendable s
    where s.ip_id is not null and (s.send_at is null or s.send_at <= p_now) and s.stopped is null
    order by s.id, s.domain
    returning ip_id
  ),
  postponed as (
    insert into postel.waiting (
      state, not_before, reason, held_from, ip_id, priority, attempts, lost_holders, size_bytes, expires_at, message_id,
      organization_id, project_id, domain, numbers, recipients
    )
    select
      case when s.stopped is not null then 'held' when s.send_at > p_now then 'scheduled' else 'deferred' end,
      case when s.send_at > p_now then s.send_at when s.stopped is not null then p_now else p_now + interval '60 s' end,
      case when s.stopped is not null then s.stopped
        when s.send_at > p_now then 'scheduled by the sender' else 'no usable IP in the project''s pool' end,
      case when s.stopped is null then null when s.send_at > p_now then 'scheduled' when s.ip_id is null then 'deferred'
        else 'queued' end,
      s.ip_id, s.prio, 0, 0, s.size, s.expires_at, s.id, s.org, s.prj, s.domain, s.numbers, s.addresses
    from sendable s
    where s.ip_id is null or s.send_at > p_now or s.stopped is not null
    returning case when state <> 'held' then not_before end as not_before
  ),
  recorded as (
    insert into postel.events (created_at, organization_id, message_id, number, type)
    select p_now, i.org, i.id, null::smallint, 'accepted'
    from input i
    union all
    select p_now, r.org, r.id, r.number, case when r.suppressed then 'suppressed' else 'held' end
    from recipients r
    where r.suppressed or r.stopped is not null
  )
  select
    (select array_agg(i.id order by i.position) from input i),
    (select array_agg(distinct q.ip_id) from queued q),
    (select array_agg(distinct w.not_before) from postponed w where w.not_before is not null)
  into message_ids, ip_ids, due
  where (select count(*) from planned) = (select count(*) from input);

  if message_ids is null then
    raise exception 'a message names a project that its organization does not have'
      using errcode = 'foreign_key_violation';
  end if;

  -- What few messages have is left to statements of its own, which the others do not pay for. (Within a JSON text the quote
  -- would be escaped.)
  if position('"tags"' in v_messages) > 0 then
    insert into postel.message_tags (project_id, tag, message_id)
    select distinct t.prj, (g.tag ->> 'name') || ':' || (g.tag ->> 'value'), message_ids[t.position]
    from rows from (json_to_recordset(p_messages) as (prj uuid, det jsonb)) with ordinality as t (prj, det, position)
    cross join lateral jsonb_array_elements(t.det -> 'tags') as g (tag);
  end if;
  if position('"blk"' in v_messages) > 0 then
    with uses as materialized (
      select t.blk, t.org, sum(json_array_length(t.rcpt)) as recipients
      from json_to_recordset(p_messages) as t (org uuid, blk uuid, rcpt json)
      where t.blk is not null
      group by t.blk, t.org
    ),
    -- added, never updated, so that nobody waits for anybody
    added as (
      insert into postel.quota_uses (block_id, organization_id, recipients, at)
      select u.blk, u.org, u.recipients, p_now
      from uses u
    )
    select exists (
      select from uses u
      where not exists (select from postel.quota_blocks b where b.id = u.blk and b.expires_at > p_now)
    )
    into v_ended;
    if v_ended then
      raise exception 'a block of quota has ended' using errcode = 'PQ001';
    end if;
  end if;
end
$$;
comment on function postel.submit_batch(json, bytea, timestamptz) is
  'Stores a batch of messages in one transaction; the apps call it. From psql use postel.send or postel.submit_raw.';
