-- submit_batch: stores a whole batch of messages in one statement of one transaction, or none of them.
-- For each message: its row, its body, one delivery per recipient, one queue row per recipient domain (or a waiting
-- row when it is scheduled or no IP is usable), and an `accepted` event. Suppressed recipients start, and end, as
-- `suppressed`.
--
-- p_messages: a JSON array; of each element
--   org, prj (uuid), src (smtp | rest | sql), efrom (envelope sender), sdom (signing domain or null), mid, hfrom, subj,
--   size (bytes before encoding), off and len (its slice of p_bodies, off from 1), enc (see message_bodies.encoding),
--   det (details or null), prio (0 to 100; null: its project's), exp (seconds that it is worth sending; never longer
--   than its project allows), send_at (or null), rcpt and rdom (addresses and their domains, position by position)
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
begin
  with input as materialized (
    select postel.uuid_v7() as id, t.*
    from rows from (
      json_to_recordset(p_messages) as (
        org uuid, prj uuid, src text, efrom text, sdom text, mid text, hfrom text, subj text,
        size integer, off integer, len integer, enc smallint, det jsonb, prio smallint, exp integer,
        send_at timestamptz, rcpt text[], rdom text[]
      )
    ) with ordinality as t (
      org, prj, src, efrom, sdom, mid, hfrom, subj, size, off, len, enc, det, prio, exp, send_at, rcpt, rdom, position
    )
  ),
  -- Which project's pool, until when, how urgent, and which IPs: once per message
  planned as materialized (
    select
      i.*, coalesce(i.prio, p.priority) as priority, u.ips, u.bounds, u.total, u.reason,
      greatest(coalesce(i.send_at, p_now), p_now)
        + make_interval(secs => least(i.exp, p.expire_after_seconds)) as expires_at
    from input i
    join postel.projects p on p.id = i.prj and p.organization_id = i.org
    left join postel.usable_ips(array(select distinct input.prj from input), p_now) as u on u.project_id = i.prj
  ),
  stored_messages as (
    insert into postel.messages (
      id, created_at, expires_at, organization_id, project_id, size_bytes, recipient_count, source,
      envelope_from, signing_domain, message_id_header, header_from, subject, details
    )
    select
      l.id, p_now, l.expires_at, l.org, l.prj, l.size, cardinality(l.rcpt), l.src, l.efrom, l.sdom, l.mid, l.hfrom,
      l.subj, l.det
    from planned l
  ),
  stored_bodies as (
    insert into postel.message_bodies (message_id, encoding, body)
    select l.id, l.enc, substring(p_bodies from l.off for l.len)
    from planned l
  ),
  recipients as materialized (
    select
      l.id, l.org, l.prj, l.priority as prio, l.send_at, l.size, l.expires_at, l.reason,
      r.address, r.domain, r.number::smallint as number,
      -- a draw that falls the same for all recipients of one domain
      l.ips[1 + width_bucket(
        (hashtextextended(r.domain, uuid_hash_extended(l.id, 0)) & 2147483647) / 2147483648.0::double precision * l.total,
        l.bounds
      )] as ip_id,
      exists (
        select from postel.suppressions s
        where s.organization_id = l.org and s.address = lower(r.address)
          and (s.project_id is null or s.project_id = l.prj)
          and (s.expires_at is null or s.expires_at > p_now)
      ) as suppressed
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
        when r.send_at > p_now then 'scheduled'
        when r.ip_id is null then 'deferred'
        else 'queued'
      end,
      p_now, p_now, r.ip_id, r.reason, r.address, r.domain
    from recipients r
  ),
  sendable as materialized (
    select
      r.id, r.org, r.prj, r.prio, r.send_at, r.size, r.expires_at, r.domain, r.ip_id,
      array_agg(r.number order by r.number) as numbers,
      array_agg(r.address order by r.number) as addresses
    from recipients r
    where not r.suppressed
    group by r.id, r.org, r.prj, r.prio, r.send_at, r.size, r.expires_at, r.domain, r.ip_id
  ),
  queued as (
    insert into postel.queue (
      ip_id, priority, attempts, lost_holders, size_bytes, expires_at, message_id, organization_id, project_id, queued_at, domain, numbers,
      recipients
    )
    select s.ip_id, s.prio, 0, 0, s.size, s.expires_at, s.id, s.org, s.prj, p_now, s.domain, s.numbers, s.addresses
    from sendable s
    where s.ip_id is not null and (s.send_at is null or s.send_at <= p_now)
    order by s.id, s.domain
    returning ip_id
  ),
  postponed as (
    insert into postel.waiting (
      state, not_before, reason, ip_id, priority, attempts, lost_holders, size_bytes, expires_at, message_id, organization_id, project_id,
      domain, numbers, recipients
    )
    select
      case when s.send_at > p_now then 'scheduled' else 'deferred' end,
      case when s.send_at > p_now then s.send_at else p_now + interval '60 s' end,
      case when s.send_at > p_now then 'scheduled by the sender' else 'no usable IP in the project''s pool' end,
      s.ip_id, s.prio, 0, 0, s.size, s.expires_at, s.id, s.org, s.prj, s.domain, s.numbers, s.addresses
    from sendable s
    where s.ip_id is null or s.send_at > p_now
    returning not_before
  ),
  recorded as (
    insert into postel.events (created_at, organization_id, message_id, number, type)
    select p_now, i.org, i.id, null::smallint, 'accepted'
    from input i
    union all
    select p_now, r.org, r.id, r.number, 'suppressed'
    from recipients r
    where r.suppressed
  )
  select
    (select array_agg(i.id order by i.position) from input i),
    (select array_agg(distinct q.ip_id) from queued q),
    (select array_agg(distinct w.not_before) from postponed w)
  into message_ids, ip_ids, due
  where (select count(*) from planned) = (select count(*) from input);

  if message_ids is null then
    raise exception 'a message names a project that its organization does not have'
      using errcode = 'foreign_key_violation';
  end if;
end
$$;
comment on function postel.submit_batch(json, bytea, timestamptz) is
  'Stores a batch of messages in one transaction; the apps call it. From psql use postel.send or postel.submit_raw.';
