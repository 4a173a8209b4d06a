-- store_report: stores a report to a message's sender and, in the same transaction, that these recipients (p_numbers,
-- ascending) are told of. So each is told of once as `delayed` and once as `final`, whoever composes reports and however often,
-- and never as delayed after that. The report belongs to the message's organization and project, and so leaves from their
-- pool; it comes from `<>`, is not signed, and is a message like any other from there on.
--
-- p_report: message_id, subject, from (of its header), details, size; p_body: the MIME message.
-- Where some of the recipients are not to be told of any more, nothing is stored and `remaining` has the others.
create or replace function postel.store_report(
  p_message_id uuid,
  p_kind text,
  p_numbers smallint[],
  p_report json,
  p_body bytea,
  p_now timestamptz default clock_timestamp(),
  out report_id uuid,
  out remaining smallint[],
  out ip_ids integer[]
)
language plpgsql
-- Planned once per connection: with so many partitions planning takes longer than running
set plan_cache_mode = force_generic_plan
as $$
declare
  v_message record;
begin
  -- Two composers of one message take turns; the second sees what the first stored
  perform pg_advisory_xact_lock(hashtext('postel.store_report'), hashtext(p_message_id::text));

  remaining := array(
    select d.number
    from postel.deliveries d
    where d.message_id = p_message_id and d.number = any (p_numbers)
      and (p_kind <> 'delayed' or d.state in ('queued', 'deferred'))
      and not exists (
        select from postel.reports r
        where r.message_id = d.message_id and r.number = d.number and r.kind in (p_kind, 'final')
      )
    order by d.number
  );
  if remaining = '{}' or remaining <> p_numbers then
    return;
  end if;

  select m.organization_id, m.project_id, m.envelope_from into v_message
  from postel.messages m
  where m.id = p_message_id and m.envelope_from <> '' and m.source <> 'report';
  if not found then
    remaining := '{}';
    return;
  end if;

  select b.message_ids[1], b.ip_ids into report_id, store_report.ip_ids
  from postel.submit_batch(
    json_build_array(json_build_object(
      'org', v_message.organization_id, 'prj', v_message.project_id, 'src', 'report', 'efrom', '', 'sdom', null,
      'mid', p_report ->> 'message_id', 'hfrom', p_report ->> 'from', 'subj', p_report ->> 'subject',
      'size', octet_length(p_body), 'off', 1, 'len', octet_length(p_body), 'enc', 0, 'prio', 50,
      'det', p_report -> 'details',
      'rcpt', array[v_message.envelope_from],
      'rdom', array[substring(v_message.envelope_from from '[^@]*$')]
    )),
    p_body,
    p_now
  ) as b;

  insert into postel.reports (message_id, number, kind, report_id, created_at)
  select p_message_id, t.number, p_kind, report_id, p_now
  from unnest(p_numbers) as t (number);
  remaining := '{}';
end
$$;
comment on function postel.store_report(uuid, text, smallint[], json, bytea, timestamptz) is
  'Stores a report to the sender of a message, once for each recipient; the worker calls it.';
