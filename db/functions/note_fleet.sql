-- note_fleet: what the IP manager found of source IPs ({id, provider_id, note}) and nodes ({name, server_id}), for people; writes what
-- has changed.
create or replace function postel.note_fleet(p_ips jsonb, p_nodes jsonb) returns void
language sql
as $$
  update postel.ip_addresses a set provider_id = f.provider_id, placement_note = f.note
  from jsonb_to_recordset(p_ips) as f (id integer, provider_id text, note text)
  where a.id = f.id and (a.provider_id, a.placement_note) is distinct from (f.provider_id, f.note);
  update postel.nodes n set server_id = f.server_id
  from jsonb_to_recordset(p_nodes) as f (name text, server_id text)
  where n.name = f.name and n.server_id is distinct from f.server_id;
$$;
comment on function postel.note_fleet(jsonb, jsonb) is
  'Writes down where the IP manager found source IPs and nodes, and what is wrong with them.';
