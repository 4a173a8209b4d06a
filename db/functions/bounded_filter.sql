-- bounded_filter: the filter of an operation with what its verb adds: hold, cancel and bounce leave alone what was submitted
-- after they were asked for.
create or replace function postel.bounded_filter(p_operation postel.operations) returns jsonb
language sql stable
as $$
  select case
    when p_operation.verb in ('hold', 'cancel', 'bounce') then p_operation.filter || jsonb_build_object('before', least(
      (p_operation.filter ->> 'before')::uuid, postel.uuid_v7_floor(p_operation.created_at + interval '1 ms')))
    else p_operation.filter
  end
$$;
comment on function postel.bounded_filter(postel.operations) is 'The filter of an operation with the bounds of its verb.';
