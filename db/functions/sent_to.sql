-- sent_to: what was sent to one address, the newest first: a row per message and what became of it. Reads the days from
-- `since` on, so a shorter time answers faster.
create or replace function postel.sent_to(recipient text, since timestamptz default now() - interval '7 days')
returns table (
  submitted_at timestamptz,
  message_id uuid,
  project text,
  header_from text,
  subject text,
  state text,
  attempts smallint,
  last_reply text,
  source_ip inet
)
language sql stable
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
  select
    m.created_at, m.id, p.name, m.header_from, m.subject, d.state, d.attempts, d.last_reply, a.address
  from postel.deliveries d
  join postel.messages m on m.id = d.message_id
  left join postel.projects p on p.id = m.project_id
  left join postel.ip_addresses a on a.id = d.ip_id
  where d.message_id >= postel.uuid_v7_floor(since)
    and d.domain = lower(split_part(btrim(sent_to.recipient), '@', 2))
    and lower(d.recipient) = lower(btrim(sent_to.recipient))
  order by m.id desc, d.number
$$;
comment on function postel.sent_to(text, timestamptz) is
  'What was sent to one address: select * from postel.sent_to(''bob@example.com''), or with a time from which on (7 days ago).';
