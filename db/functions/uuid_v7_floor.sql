-- uuid_v7_floor: the smallest UUIDv7 of a moment's millisecond: never greater than one that is made at that moment or later.
-- Partition bounds and "everything since" queries use it.
create or replace function postel.uuid_v7_floor(p_at timestamptz) returns uuid
language sql immutable parallel safe
as $$
  select (
    lpad(to_hex(floor(extract(epoch from p_at) * 1000)::bigint), 12, '0') || '70008000000000000000'
  )::uuid
$$;
comment on function postel.uuid_v7_floor(timestamptz) is 'The smallest UUIDv7 of that moment''s millisecond.';
