-- webhook_fan_out: of the events after p_after and before p_until, at most p_limit of them, makes one delivery for each webhook
-- that wants one of them, with the body that will be sent. Run again over the same events it makes nothing twice.
--
-- A webhook is told of what happened since it was enabled, in its organization and, where it has one, its project; what is
-- about no project goes to all. Reports to senders are told to nobody. `to` is the
-- recipient that the event is about, or all of them. A mail that was scheduled is told of as sent with the first try for its
-- first recipient.
--
-- Deliveries of events before the last hold_all have no next attempt until release_all gives them one.
--
-- last_id is the last event looked at, or p_until when that was all; `read` counts them, `made` the deliveries.
create or replace function postel.webhook_fan_out(
  p_after uuid,
  p_until uuid,
  p_limit integer default 5000,
  out last_id uuid,
  out read integer,
  out made integer
)
language plpgsql
-- Planned once per connection, for every size of what is read: with so many partitions planning takes longer than running.
-- Short index ranges, and one look-up by key for each row that they give.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
declare
  v_full uuid;
  v_waits_before uuid;
begin
  select count(*), (array_agg(c.id))[p_limit] into read, v_full
  from (
    select e.id from postel.events e
    where e.id > p_after and e.id < p_until
    order by e.id
    limit p_limit
  ) as c;
  last_id := coalesce(v_full, p_until);
  made := 0;
  if read = 0 then
    return;
  end if;

  select s.value::uuid into v_waits_before from postel.system_settings s where s.key = 'webhooks_wait_before';

  with happened as materialized (
    select e.id, e.created_at, e.organization_id, e.message_id, e.number, e.type, e.data
    from postel.events e
    join postel.webhook_events() t on t.event = e.type
    where e.id > p_after and e.id <= last_id and e.id < p_until
      and exists (
        select from postel.webhooks w
        where w.organization_id = e.organization_id and w.status = 'enabled' and w.events && t.told
      )
      -- Those of one event are all made at once, so one is enough to know that it was read before
      and not exists (
        select from postel.webhooks w
        join postel.webhook_deliveries d on d.webhook_id = w.id and d.event_id = e.id
        where w.organization_id = e.organization_id and w.status = 'enabled'
      )
    offset 0
  ),
  mail as materialized (
    select
      h.id, h.created_at, h.organization_id, m.project_id, h.data,
      case
        when h.type = 'accepted' and (m.scheduled or exists (
          select from postel.deliveries d where d.message_id = h.message_id and d.state = 'scheduled'
        )) then array['email.scheduled']
        when h.type in ('bounced', 'expired') and a.outcome is null then array['email.failed']
        when m.scheduled and a.attempt = 1 and h.number = (
          select min(d.number) from postel.deliveries d where d.message_id = h.message_id and d.state <> 'suppressed'
        ) then array['email.sent', t.told[1]]
        else t.told[1:1]
      end as types,
      h.type as event, m.id as message_id, m.message_id_header, m.created_at as sent_at, m.header_from, m.subject,
      m.details, d.recipient, d.last_reply,
      -- What a person bounced after a try in vain has that person's words
      case when h.type <> 'bounced' or a.outcome = 'bounced' then a.category end as category,
      case when h.type <> 'bounced' or a.outcome = 'bounced' then a.reply else d.last_reply end as reply
    from happened h
    join postel.webhook_events() t on t.event = h.type
    cross join lateral (
      select
        r.*,
        coalesce(r.details ->> 'scheduled_at' ~ '^\d{4}-\d\d-\d\dT', false)
          and (r.details ->> 'scheduled_at')::timestamptz > r.created_at as scheduled
      from postel.messages r
      where r.id = h.message_id and r.source <> 'report'
      offset 0
    ) as m
    left join lateral (
      select r.recipient, r.last_reply from postel.deliveries r
      where r.message_id = h.message_id and r.number = h.number
      offset 0
    ) as d on true
    left join lateral (
      select r.attempt, r.outcome, r.category, r.reply from postel.attempts r
      where r.message_id = h.message_id and r.number = h.number and r.at <= h.created_at
      order by r.attempt desc
      limit 1
    ) as a on true
    where h.message_id is not null
  ),
  told as materialized (
    select
      m.id, m.organization_id, m.project_id, y.type, y.place, m.created_at,
      json_strip_nulls(json_build_object(
        'email_id', m.message_id,
        'message_id', m.message_id_header,
        'created_at', postel.webhook_time(m.sent_at),
        'from', m.header_from,
        'to', case
          when m.recipient is not null and y.type <> 'email.sent' then to_jsonb(array[m.recipient])
          else coalesce(m.details -> 'to', (
            select jsonb_agg(d.recipient order by d.number) from postel.deliveries d where d.message_id = m.message_id
          ))
        end,
        'subject', m.subject,
        'tags', (
          select jsonb_object_agg(t.value ->> 'name', t.value -> 'value')
          from jsonb_array_elements(m.details -> 'tags') as t
        ),
        'template_id', m.details -> 'template' -> 'id',
        'bounce', case when y.type <> 'email.bounced' then null
          -- It had been delivered, and came back
          when m.event = 'returned' then postel.webhook_bounce(
            case m.data -> 'permanent' when 'true' then 'bounced' else 'returned' end,
            -- in_doubt: it does not say
            case m.data -> 'permanent' when 'null' then 'in_doubt' else coalesce(m.data ->> 'category', 'other') end,
            coalesce(m.data ->> 'reply', '')
          )
          else postel.webhook_bounce(m.event, m.category, m.reply)
        end,
        'delay', case y.type when 'email.delivery_delayed' then json_build_object(
          'message', coalesce(m.reply, m.last_reply), 'diagnosticCode', json_build_array('smtp; ' || m.reply)
        ) end,
        'failed', case y.type when 'email.failed' then json_build_object(
          'reason', coalesce(m.last_reply, case m.event
            when 'expired' then 'It grew too old before it could be sent'
            else 'It was returned by the operator of this server'
          end)
        ) end,
        'suppressed', case y.type when 'email.suppressed' then json_build_object(
          'type', 'OnAccountSuppressionList',
          'reason', coalesce(m.data ->> 'reason', m.data ->> 'origin'),
          'message', 'The address is on the suppression list: mail to it failed before, or was not wanted'
        ) end,
        'open', case y.type when 'email.opened' then json_build_object(
          'ipAddress', m.data -> 'ip', 'timestamp', m.data -> 'timestamp', 'userAgent', m.data -> 'user_agent'
        ) end,
        'click', case y.type when 'email.clicked' then json_build_object(
          'ipAddress', m.data -> 'ip', 'link', m.data -> 'link', 'timestamp', m.data -> 'timestamp',
          'userAgent', m.data -> 'user_agent'
        ) end
      )) as data
    from mail m
    cross join lateral unnest(m.types) with ordinality as y (type, place)
    union all
    select
      h.id, h.organization_id, (h.data ->> 'project_id')::uuid, t.told[1], 1, h.created_at,
      (coalesce(h.data, '{}') - 'project_id')::json
    from happened h
    join postel.webhook_events() t on t.event = h.type
    where h.message_id is null
  ),
  stored as (
    insert into postel.webhook_deliveries (webhook_id, event_id, type, payload, next_attempt_at)
    select
      w.id, t.id, t.type,
      json_build_object('type', t.type, 'created_at', postel.webhook_time(t.created_at), 'data', t.data)::text,
      case when t.id < v_waits_before then null else clock_timestamp() end
    from told t
    join postel.webhooks w on w.organization_id = t.organization_id
    where w.status = 'enabled' and t.type = any (w.events)
      and (w.project_id is null or t.project_id is null or w.project_id = t.project_id)
      and t.id >= postel.uuid_v7_floor(w.enabled_at)
    order by t.id, t.place, w.id
    on conflict on constraint webhook_deliveries_event_once do nothing
    returning 1
  )
  select count(*) into made from stored;
end
$$;
comment on function postel.webhook_fan_out(uuid, uuid, integer) is
  'Makes the deliveries to webhooks of a stretch of events; the worker''s task `webhooks` calls it.';
