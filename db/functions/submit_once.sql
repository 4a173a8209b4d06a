-- submit_once: submit_batch under an idempotency key. The key, the messages and everything that hangs on them are one
-- transaction: a second caller with the same key waits for the first to commit and then gets the first one's ids.
-- outcome is `stored`, `repeated` (same request) or `conflict` (the key was used for another request).
create or replace function postel.submit_once(
  p_project uuid,
  p_key text,
  p_request_hash bytea,
  p_messages json,
  p_bodies bytea,
  p_now timestamptz default clock_timestamp(),
  out outcome text,
  out message_ids uuid[],
  out ip_ids integer[],
  out due timestamptz[]
)
language plpgsql
as $$
declare
  v_hash bytea;
begin
  delete from postel.idempotency_keys k
  where k.project_id = p_project and k.key = p_key and k.created_at < p_now - interval '24 hours';

  insert into postel.idempotency_keys (project_id, key, request_hash, message_ids, created_at)
  values (p_project, p_key, p_request_hash, '{}', p_now)
  on conflict on constraint idempotency_keys_pkey do nothing;

  if not found then
    select k.request_hash, k.message_ids into v_hash, message_ids
    from postel.idempotency_keys k
    where k.project_id = p_project and k.key = p_key;
    if v_hash is distinct from p_request_hash then
      outcome := 'conflict';
      message_ids := null;
    else
      outcome := 'repeated';
    end if;
    return;
  end if;

  select b.message_ids, b.ip_ids, b.due into message_ids, ip_ids, due
  from postel.submit_batch(p_messages, p_bodies, p_now) as b;

  update postel.idempotency_keys k set message_ids = submit_once.message_ids
  where k.project_id = p_project and k.key = p_key;
  outcome := 'stored';
end
$$;
comment on function postel.submit_once(uuid, text, bytea, json, bytea, timestamptz) is
  'submit_batch under an idempotency key, kept 24 hours.';
