-- erase_records: erases an address from what an organization has beside its mail: suppressions (it stays suppressed, by its
-- hash), events about it, deliveries to webhooks that are over, the sandbox mailbox, the logs of requests and changes, and
-- finished operations. p_forms as of erase_mail.
create or replace function postel.erase_records(p_organization uuid, p_address text, p_forms text[]) returns void
language plpgsql
set lock_timeout = '2s'
as $$
begin
  delete from postel.suppressions s
  where s.organization_id = p_organization and s.address = p_address
    and exists (
      select from postel.suppressions h
      where h.organization_id = p_organization and h.address = postel.address_hash(p_address)
        and h.project_id is not distinct from s.project_id
    );
  update postel.suppressions s
  set address = postel.address_hash(p_address), reason = 'erased', message_id = null
  where s.organization_id = p_organization and s.address = p_address;
  update postel.events e set data = postel.erase_json(e.data, p_forms)
  where e.organization_id = p_organization and e.type in ('suppression.added', 'suppression.removed', 'unsubscribed')
    and postel.names_address(e.data ->> 'email', p_forms);
  delete from postel.webhook_deliveries d
  using postel.webhooks w
  where w.organization_id = p_organization and d.webhook_id = w.id and d.state <> 'pending'
    and postel.names_address(d.payload, p_forms);
  delete from postel.sandbox_messages s
  where s.organization_id = p_organization and postel.lower_all(s.recipients) && p_forms;
  update postel.request_logs l set path = '/erased', error = null
  where l.organization_id = p_organization and (
    postel.names_address(l.path, p_forms) or postel.names_address(replace(lower(l.path), '%40', '@'), p_forms)
    or postel.names_address(l.error, p_forms)
  );
  update postel.audit_log a
  set
    target_name = case when postel.names_address(a.target_name, p_forms) then 'erased@erased.invalid' else a.target_name end,
    details = postel.erase_json(a.details, p_forms)
  where a.organization_id = p_organization
    and (postel.names_address(a.target_name, p_forms) or postel.names_address(a.details::text, p_forms));
  update postel.operations o set filter = postel.erase_json(o.filter, p_forms)
  where o.finished_at is not null and postel.names_address(o.filter::text, p_forms)
    and (
      o.organization_id = p_organization
      or exists (
        select from postel.projects p
        where p.organization_id = p_organization
          and (o.filter -> 'project_ids' ? p.id::text or o.filter ->> 'project_id' = p.id::text)
      )
    );
end
$$;
comment on function postel.erase_records(uuid, text, text[]) is
  'Erases an address from suppressions, events and logs of an organization; the apps call it.';
