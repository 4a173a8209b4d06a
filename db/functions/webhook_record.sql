-- webhook_record: writes down what attempts to tell webhooks met, and what follows. p_results is a JSON array of
--   id (the delivery), after (its attempts before this one), at (when it began), ms, status (null: no reply), error (null: it
--   was taken), body (the beginning of the reply), retry_after (seconds, or null)
-- A delivery that was taken is done. One that was not is tried again by the schedule of webhook_retry_delay, a little later at
-- random so that many do not come at once, and not before what Retry-After asks for, at most ten hours. After the last
-- attempt it has failed. An attempt that another one has overtaken is only noted.
-- A webhook that answers 410 is disabled, and so is one that has given up on a delivery when no attempt has succeeded for five
-- days; its organization gets a notice, and what is still to be told stays where it is until it is enabled again.
-- Returns the webhooks that were disabled, with the reason.
create or replace function postel.webhook_record(p_results json, p_now timestamptz default clock_timestamp())
returns table (webhook_id uuid, reason text)
language plpgsql
as $$
#variable_conflict use_column
declare
  v_disabled record;
begin
  for v_disabled in
    with results as materialized (
      select r.* from json_to_recordset(p_results) as r (
        id uuid, after smallint, at timestamptz, ms integer, status smallint, error text, body text, retry_after double precision
      )
    ),
    held as materialized (
      select d.id, d.webhook_id, d.attempts, d.state
      from postel.webhook_deliveries d
      where d.id in (select r.id from results r)
      order by d.id
      for update
    ),
    tried as (
      insert into postel.webhook_attempts (delivery_id, at, duration_ms, status_code, error, response_body)
      select r.id, r.at, r.ms, r.status, r.error, r.body
      from results r
      join held h on h.id = r.id
    ),
    settled as (
      update postel.webhook_deliveries d
      set
        attempts = h.attempts + 1,
        state = case
          when r.error is null then 'delivered'
          when r.status = 410 or postel.webhook_retry_delay(h.attempts + 1) is null then 'failed'
          else 'pending'
        end,
        next_attempt_at = case
          when r.error is not null and r.status is distinct from 410
            and postel.webhook_retry_delay(h.attempts + 1) is not null
          then p_now + greatest(
            postel.webhook_retry_delay(h.attempts + 1) * (1 + random() / 10),
            make_interval(secs => least(coalesce(r.retry_after, 0), 36000))
          )
        end
      from results r
      join held h on h.id = r.id
      where d.id = h.id and h.state = 'pending' and (h.attempts = r.after or r.error is null)
      returning d.id, d.webhook_id, d.state
    ),
    verdicts as materialized (
      select
        w.id, t.taken,
        case
          when t.gone then 'gone'
          when t.given_up and not t.taken and w.failing_since < p_now - interval '5 days' then 'failing'
        end as reason
      from (
        select
          h.webhook_id, bool_or(r.error is null) as taken, bool_or(r.status is not distinct from 410) as gone,
          bool_or(s.state is not distinct from 'failed') as given_up
        from results r
        join held h on h.id = r.id
        left join settled s on s.id = r.id
        group by h.webhook_id
      ) as t
      join postel.webhooks w on w.id = t.webhook_id
    )
    update postel.webhooks w
    set
      failing_since = case when v.taken then null else coalesce(w.failing_since, p_now) end,
      status = case when v.reason is null then w.status else 'disabled' end,
      status_reason = coalesce(v.reason, w.status_reason)
    from verdicts v
    where w.id = v.id and w.status = 'enabled' and (v.reason is not null or (w.failing_since is null) <> v.taken)
    returning w.id, w.organization_id, w.project_id, w.endpoint, v.reason
  loop
    continue when v_disabled.reason is null;
    webhook_id := v_disabled.id;
    reason := v_disabled.reason;
    return next;
    insert into postel.audit_log (
      organization_id, actor_kind, actor_name, action, target_kind, target_id, target_name, details
    )
    values (
      v_disabled.organization_id, 'system', 'worker', 'webhook.disabled', 'webhook', v_disabled.id::text, v_disabled.endpoint,
      jsonb_build_object('reason', v_disabled.reason)
    );
    insert into postel.events (organization_id, type, data)
    values (v_disabled.organization_id, 'webhook.disabled', jsonb_build_object(
      'id', v_disabled.id, 'endpoint', v_disabled.endpoint, 'reason', v_disabled.reason, 'project_id', v_disabled.project_id
    ));
    perform postel.send_notice(
      v_disabled.organization_id,
      'A webhook was disabled',
      format(
        E'The webhook %s\n%s\nis disabled and is told of nothing any more. Enable it again when it can be reached.\n',
        v_disabled.endpoint,
        case v_disabled.reason
          when 'gone' then 'has answered that it is gone (410). It'
          else 'has not taken any event for five days. It'
        end
      )
    );
  end loop;
end
$$;
comment on function postel.webhook_record(json, timestamptz) is
  'Writes down what attempts to tell webhooks met; the worker calls it.';
