-- submit_raw: submit_raw_with without options but the project.
create or replace function postel.submit_raw(sender text, recipients text[], raw bytea, project text default null)
returns uuid
language sql
as $$
  select postel.submit_raw_with(
    sender, recipients, raw, jsonb_strip_nulls(jsonb_build_object('project', submit_raw.project))
  )
$$;
comment on function postel.submit_raw(text, text[], bytea, text) is
  'Submits a ready MIME message: select postel.submit_raw(''a@my.org'', array[''b@dest.org''], pg_read_binary_file(...)). Returns its id.';
