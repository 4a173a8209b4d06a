-- send_notice: tells an organization something: an event `notice`, and where system mail is set up (mail_from in
-- system_settings) a mail to each of its admins. What keeps a mail from being sent is written into the event; it never
-- raises because of one.
create or replace function postel.send_notice(p_organization uuid, p_subject text, p_text text) returns void
language plpgsql
set search_path = pg_catalog, postel, pg_temp
as $$
declare
  v_from text := (select s.value from postel.system_settings s where s.key = 'mail_from');
  v_project text := (select s.value from postel.system_settings s where s.key = 'mail_project');
  v_admin record;
  v_mailed integer := 0;
  v_problem text := case when v_from is null then 'SYSTEM_MAIL_FROM is not set' end;
begin
  for v_admin in
    select u.email
    from postel.members m
    join postel.users u on u.id = m.user_id
    where m.organization_id = p_organization and m.role = 'admin' and not u.blocked and v_from is not null
    order by u.id
  loop
    begin
      perform postel.send_with(
        v_from, array[v_admin.email], p_subject, p_text, jsonb_strip_nulls(jsonb_build_object('project', v_project)));
      v_mailed := v_mailed + 1;
    exception when others then
      v_problem := sqlerrm;
    end;
  end loop;
  insert into postel.events (organization_id, type, data)
  values (p_organization, 'notice', jsonb_strip_nulls(jsonb_build_object(
    'subject', p_subject, 'text', p_text, 'mailed', v_mailed, 'problem', v_problem
  )));
end
$$;
comment on function postel.send_notice(uuid, text, text) is
  'Tells an organization something: an event, and a mail to its admins where system mail is set up.';
