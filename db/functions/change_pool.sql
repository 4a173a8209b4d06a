-- change_pool: a pool's new name (null: as it was), and whether new projects get it, which takes that from the former default.
-- No row: there is no such pool.
create or replace function postel.change_pool(p_id bigint, p_name text, p_default boolean)
returns table (id integer, name text)
language plpgsql
as $$
#variable_conflict use_column
begin
  if p_default then
    update postel.ip_pools l set is_default = false where l.is_default and l.id <> p_id
      and exists (select from postel.ip_pools n where n.id = p_id);
  end if;
  return query
  update postel.ip_pools l
  set name = coalesce(p_name, l.name), is_default = l.is_default or coalesce(p_default, false)
  where l.id = p_id
  returning l.id, l.name;
end
$$;
comment on function postel.change_pool(bigint, text, boolean) is
  'Renames a pool of source IPs, or makes it the one that new projects get.';
