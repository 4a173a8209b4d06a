-- report_facts: what a report about these recipients says. One row, or none when the message is gone. `recipients` is an
-- array, in their order, of
--   number, recipient, orcpt (as the sender gave it, or null), state, last_reply, and of the last attempt, or null where
--   there was none: at, outcome, code, enhanced, reply, mx; where it came back after a remote had taken it, what was said then;
--   state `confirmed`: a report of the remote says that it arrived
-- `whole` says whether the sender wants the message back (RET=FULL) and gets it: not over 256 KiB, and not when it was
-- meant to travel over TLS alone (RFC 8689). If not, `body` is only its beginning, enough for a header section even where it
-- is compressed: the first block of zstd is whole within it.
create or replace function postel.report_facts(p_message_id uuid, p_numbers smallint[])
returns table (
  envelope_from text, message_id_header text, subject text, created_at timestamptz, expires_at timestamptz,
  envid text, require_tls boolean, whole boolean, encoding smallint, body bytea, recipients json
)
language plpgsql stable
-- Planned once per connection: with so many partitions planning takes longer than running
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  return query
  select
    m.envelope_from, m.message_id_header, m.subject, m.created_at, m.expires_at,
    m.details -> 'dsn' ->> 'envid', r.require_tls, r.whole, b.encoding,
    case when r.whole then b.body else substring(b.body for 147456) end,
    (
      select json_agg(json_build_object(
        'number', d.number, 'recipient', d.recipient,
        'orcpt', m.details -> 'dsn' -> 'recipients' -> d.recipient ->> 'orcpt',
        'state', case
          when b.data is not null then case b.data -> 'permanent' when 'false' then 'expired' else 'bounced' end
          when c.confirmed then 'confirmed'
          else d.state
        end,
        'last_reply', d.last_reply,
        'at', coalesce(b.created_at, a.at),
        'outcome', case when b.data is null then a.outcome else 'bounced' end,
        'code', case when b.data is null then a.code else (b.data ->> 'code')::smallint end,
        'enhanced', case when b.data is null then a.enhanced_code else b.data ->> 'status' end,
        'reply', case when b.data is null then a.reply else b.data ->> 'reply' end,
        'mx', case when b.data is null then a.mx_host else coalesce(b.data ->> 'remote', b.data ->> 'reporter') end
      ) order by d.number)
      from postel.deliveries d
      left join lateral (
        select * from postel.attempts t
        where t.message_id = d.message_id and t.number = d.number
        order by t.attempt desc
        limit 1
      ) as a on true
      left join lateral (
        select e.created_at, e.data from postel.events e
        where e.message_id = d.message_id and e.number = d.number and e.type = 'returned'
          and e.type not in ('accepted', 'queued', 'deferred', 'delivered')
          and e.id >= postel.uuid_v7_floor(postel.uuid_v7_time(d.message_id))
        limit 1
      ) as b on true
      cross join lateral (
        select exists (
          select from postel.events e
          where e.message_id = d.message_id and e.number = d.number and e.type = 'confirmed'
            and e.type not in ('accepted', 'queued', 'deferred', 'delivered')
            and e.id >= postel.uuid_v7_floor(postel.uuid_v7_time(d.message_id))
        ) as confirmed
      ) as c
      where d.message_id = m.id and d.number = any (p_numbers)
    )
  from postel.messages m
  cross join lateral (
    select
      m.details -> 'require_tls' is not distinct from 'true'::jsonb as require_tls,
      coalesce(m.details -> 'dsn' ->> 'ret' = 'FULL', false) and m.size_bytes <= 262144
        and m.details -> 'require_tls' is distinct from 'true'::jsonb as whole
  ) as r
  left join postel.message_bodies b on b.message_id = m.id
  where m.id = p_message_id;
end
$$;
comment on function postel.report_facts(uuid, smallint[]) is 'What a report about these recipients of a message says.';
