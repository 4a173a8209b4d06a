-- suspend: no mail is sent to this recipient domain (`*.example.com`: to all below) until that moment, or until it is
-- resumed. It stays in the queue, keeps its place and expires as always. What is being sent goes on. Asked for again it
-- takes the new reason and time. Returns how many recipients are queued there now.
create or replace function postel.suspend(domain text, reason text, until timestamptz default null) returns bigint
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
#variable_conflict use_column
declare
  v_domain text := postel.domain_pattern(domain);
begin
  if v_domain is null then
    raise exception 'which domain?' using errcode = 'invalid_parameter_value';
  end if;
  if until <= now() then
    raise exception 'until is in the past: %', until using errcode = 'invalid_parameter_value',
      hint = 'Say now() + interval ''2 hours'', or leave it out: then it lasts until postel.resume.';
  end if;
  insert into postel.suspensions as s (domain, reason, until, requested_by)
  values (v_domain, coalesce(nullif(btrim(suspend.reason), ''), 'no reason given'), suspend.until, postel.requester())
  on conflict (domain) where domain is not null do update
  set reason = excluded.reason, until = excluded.until, requested_by = excluded.requested_by, created_at = now();
  perform pg_notify('postel_control', 'suspensions');
  return (
    select coalesce(sum(cardinality(q.numbers)), 0) from postel.queue q
    where case when v_domain like '*.%' then right(q.domain, length(v_domain) - 1) = substr(v_domain, 2)
      else q.domain = v_domain end
  );
end
$$;
comment on function postel.suspend(text, text, timestamptz) is
  'Sends nothing to a domain for now: select postel.suspend(''example.com'', ''they asked us to'', now() + interval ''2 hours''). Returns how many recipients are queued for it.';
