-- schedule_release: makes sure that the worker looks into `waiting` soon after each of these moments. One job per time
-- bucket, not per message: 10 s wide for the next ten minutes, 60 s for the next two hours, 300 s beyond. Adding a job
-- notifies, so never call it in the transaction that stores mail. Losing a call costs at most a minute (the sweep).
create or replace function postel.schedule_release(p_due timestamptz[], p_now timestamptz default now())
returns integer
language plpgsql
as $$
declare
  v_bucket timestamptz;
  v_count integer := 0;
begin
  for v_bucket in
    select distinct to_timestamp(ceil(extract(epoch from d.due) / w.width) * w.width)
    from unnest(p_due) as d (due)
    cross join lateral (
      select case
        when d.due < p_now + interval '10 minutes' then 10
        when d.due < p_now + interval '2 hours' then 60
        else 300
      end as width
    ) as w
    order by 1
  loop
    perform graphile_worker.add_job(
      'release_due',
      run_at := v_bucket,
      job_key := 'release:' || extract(epoch from v_bucket)::bigint,
      job_key_mode := 'preserve_run_at'
    );
    v_count := v_count + 1;
  end loop;
  return v_count;
end
$$;
comment on function postel.schedule_release(timestamptz[], timestamptz) is
  'Adds the graphile-worker jobs that release waiting mail when it becomes due.';
