-- requester: who asks, for the records: the key or person that an app has named for this transaction
-- (set_config('postel.requester', name, true)), else the database role. Nobody but the apps is believed.
create or replace function postel.requester() returns text
language sql stable
as $$
  select coalesce(
    case when pg_has_role(session_user, 'postel_app', 'member') then
      nullif(current_setting('postel.requester', true), '')
    end,
    session_user::text
  )
$$;
comment on function postel.requester() is 'Who asks: whom an app has named, else the database role.';
