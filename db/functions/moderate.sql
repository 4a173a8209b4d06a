-- moderate: stops an organization (its name or id) from psql, or lets it go on: active, no_sending, no_receiving or frozen, as
-- moderate_organization and moderate_mail do. Returns how many recipients' mail that holds or releases.
create or replace function postel.moderate(organization text, status text, reason text default null) returns bigint
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
declare
  v_ids uuid[];
begin
  if moderate.status is null or moderate.status not in ('active', 'no_sending', 'no_receiving', 'frozen') then
    raise exception 'not a status: %', coalesce(quote_literal(moderate.status), 'null')
      using errcode = 'invalid_parameter_value', hint = 'One of active, no_sending, no_receiving, frozen.';
  end if;
  v_ids := array(
    select o.id from postel.organizations o where o.id::text = lower(organization) or o.name = organization order by o.id
  );
  if cardinality(v_ids) <> 1 then
    raise exception '% organizations are called %', cardinality(v_ids), coalesce(quote_literal(organization), 'null')
      using errcode = 'invalid_parameter_value',
        hint = coalesce('Give an id: ' || (
          select string_agg(o.id::text, ', ' order by o.id) from postel.organizations o where o.id = any (v_ids)
        ), 'Give its name or its id.');
  end if;
  perform postel.moderate_organization(
    v_ids[1], moderate.status, reason, json_build_object('kind', 'psql', 'name', postel.requester()));
  return postel.moderate_mail(v_ids[1]);
end
$$;
comment on function postel.moderate(text, text, text) is
  'Stops an organization: select postel.moderate(''shop'', ''no_sending'', ''spam''), or lets it go on with ''active''. Also no_receiving, frozen. Returns how many recipients'' mail it holds or releases.';
