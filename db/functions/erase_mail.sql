-- erase_mail: erases an address from mail of an organization to it, at most p_limit messages, but none of which anything is
-- still to be delivered. The recipient, what the submitter gave to be shown, subject and header become
-- `erased@erased.invalid` where they name it, replies and what happened to that recipient (opens, clicks) lose their texts,
-- and a body goes that was for this recipient alone. `shared` are the messages to several, whose bodies the caller has to
-- look into. p_forms: the address in lower case in every way that it may be written.
create or replace function postel.erase_mail(
  p_organization uuid,
  p_address text,
  p_forms text[],
  p_limit integer default 200,
  p_now timestamptz default clock_timestamp(),
  out messages integer,
  out shared uuid[]
)
language plpgsql
set plan_cache_mode = force_custom_plan
set lock_timeout = '2s'
as $$
declare
  v_ids uuid[];
  v_numbers smallint[];
begin
  select array_agg(t.message_id), array_agg(t.number), count(distinct t.message_id)
  into v_ids, v_numbers, messages
  from (
    select p.message_id, p.number
    from postel.privacy_mail(p_organization, p_address, null, 1000000) as p
    where not postel.is_live(p.message_id)
    limit p_limit
  ) as t;
  if messages = 0 then
    return;
  end if;

  update postel.deliveries d
  set recipient = 'erased@erased.invalid', domain = 'erased.invalid', last_reply = null, updated_at = p_now
  from unnest(v_ids, v_numbers) as t (message_id, number)
  where d.message_id = t.message_id and d.number = t.number;
  update postel.attempts a set reply = null
  from unnest(v_ids, v_numbers) as t (message_id, number)
  where a.message_id = t.message_id and a.number = t.number;
  update postel.events e set data = null
  from unnest(v_ids, v_numbers) as t (message_id, number)
  where e.message_id = t.message_id and e.number = t.number and e.data is not null
    and e.type not in ('accepted', 'queued', 'deferred', 'delivered');
  update postel.messages m
  set
    details = postel.erase_json(m.details, p_forms),
    subject = case when postel.names_address(m.subject, p_forms) then 'erased@erased.invalid' else m.subject end,
    header_from = case when postel.names_address(m.header_from, p_forms) then 'erased@erased.invalid' else m.header_from end,
    envelope_from = case when postel.names_address(m.envelope_from, p_forms) then 'erased@erased.invalid' else m.envelope_from end
  where m.id = any (v_ids);
  delete from postel.message_bodies b
  using postel.messages m
  where m.id = any (v_ids) and m.recipient_count = 1 and b.message_id = any (v_ids) and b.message_id = m.id;
  shared := array(select m.id from postel.messages m where m.id = any (v_ids) and m.recipient_count > 1 order by m.id);
end
$$;
comment on function postel.erase_mail(uuid, text, text[], integer, timestamptz) is
  'Erases an address from mail to it; the apps call it.';
