-- row_matches: whether a row of queue or waiting is meant by the filter of an operation: message_id, project_id,
-- project_ids (one of these), domain (exact) or below (`.example.com`), ip_id, recipient (lower-case; one of several is enough), only (no recipient but this one), sender, signed_by
-- (the domain that it is to be signed by), and before (messages with lower ids). What the filter does not name is not asked. One expression, so that the planner puts it in place of the
-- call and finds the indexes.
create or replace function postel.row_matches(
  p_filter jsonb,
  p_message_id uuid,
  p_project_id uuid,
  p_domain text,
  p_ip_id integer,
  p_recipients text[]
)
returns boolean
language sql stable
as $$
  select
    (p_filter ->> 'message_id' is null or p_message_id = (p_filter ->> 'message_id')::uuid)
    and (p_filter ->> 'project_id' is null or p_project_id = (p_filter ->> 'project_id')::uuid)
    and (p_filter -> 'project_ids' is null or p_filter -> 'project_ids' ? p_project_id::text)
    and (p_filter ->> 'domain' is null or p_domain = p_filter ->> 'domain')
    and (p_filter ->> 'below' is null or right(p_domain, length(p_filter ->> 'below')) = p_filter ->> 'below')
    and (p_filter ->> 'ip_id' is null or p_ip_id = (p_filter ->> 'ip_id')::integer)
    and (p_filter ->> 'before' is null or p_message_id < (p_filter ->> 'before')::uuid)
    and (p_filter ->> 'recipient' is null or postel.lower_all(p_recipients) @> array[p_filter ->> 'recipient'])
    and (p_filter ->> 'only' is null or postel.lower_all(p_recipients) <@ array[p_filter ->> 'only'])
    and (p_filter ->> 'signed_by' is null or postel.signed_for(p_message_id, p_filter ->> 'signed_by'))
    and (p_filter ->> 'sender' is null or postel.sent_by(p_message_id, p_filter ->> 'sender'))
$$;
comment on function postel.row_matches(jsonb, uuid, uuid, text, integer, text[]) is
  'Whether a row of queue or waiting is meant by the filter of an operation.';
