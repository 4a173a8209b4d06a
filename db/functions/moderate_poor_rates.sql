-- moderate_poor_rates: stops the sending (no_sending) of active organizations whose mail of the last p_hours ended badly: of
-- p_recipients or more, more than p_invalid_percent went to recipients that do not exist, or more than p_complaint_percent
-- were complained about. A limit of 0 is none. Trusted organizations are left alone, and what was before a person last
-- changed the status counts no more. The signal is in the reason, the audit log and the event. Returns whom it stopped.
create or replace function postel.moderate_poor_rates(
  p_hours integer,
  p_recipients integer,
  p_invalid_percent numeric,
  p_complaint_percent numeric,
  p_now timestamptz default clock_timestamp()
)
returns setof uuid
language plpgsql
as $$
declare
  v_poor record;
  v_former text;
begin
  delete from postel.delivery_rates r where r.period < p_now - make_interval(hours => greatest(p_hours, 24) + 1);
  for v_poor in
    select s.*, s.invalid * 100.0 / s.recipients > p_invalid_percent and p_invalid_percent > 0 as is_invalid
    from (
      select
        o.id, sum(r.delivered + r.bounced) as recipients, sum(r.invalid) as invalid, sum(r.complained) as complained
      from postel.organizations o
      join postel.delivery_rates r on r.organization_id = o.id
        and r.period > p_now - make_interval(hours => p_hours)
        and (o.status_at is null or r.period >= o.status_at)
      where o.status = 'active' and not o.trusted
      group by o.id
    ) as s
    where s.recipients >= p_recipients
      and (
        (p_invalid_percent > 0 and s.invalid * 100.0 / s.recipients > p_invalid_percent)
        or (p_complaint_percent > 0 and s.complained * 100.0 / s.recipients > p_complaint_percent)
      )
    order by s.id
  loop
    v_former := postel.moderate_organization(
      v_poor.id, 'no_sending',
      format(
        'poor delivery rate: of %s recipients in %s hours %s', v_poor.recipients, p_hours,
        case when v_poor.is_invalid then format('%s do not exist', v_poor.invalid)
          else format('%s complained', v_poor.complained) end
      ),
      json_build_object('kind', 'system', 'name', 'delivery rate'),
      jsonb_build_object(
        'recipients', v_poor.recipients, 'invalid', v_poor.invalid, 'complained', v_poor.complained, 'hours', p_hours
      ),
      'active', p_now
    );
    return next v_poor.id;
  end loop;
end
$$;
comment on function postel.moderate_poor_rates(integer, integer, numeric, numeric, timestamptz) is
  'Stops organizations whose mail ended badly; the worker calls it each minute.';
