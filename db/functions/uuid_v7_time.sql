-- uuid_v7_time: the moment (in milliseconds) at which a UUIDv7 was made; the inverse of uuid_v7_floor.
create or replace function postel.uuid_v7_time(p_id uuid) returns timestamptz
language sql immutable parallel safe
as $$
  select to_timestamp(('x0000' || left(replace(p_id::text, '-', ''), 12))::bit(64)::bigint / 1000.0)
$$;
comment on function postel.uuid_v7_time(uuid) is 'The moment at which a UUIDv7 was made.';
