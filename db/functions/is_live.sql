-- is_live: whether anything of a message is still to be delivered.
create or replace function postel.is_live(p_message_id uuid) returns boolean
language sql stable
as $$
  select exists (select from postel.queue q where q.message_id = p_message_id)
    or exists (select from postel.waiting w where w.message_id = p_message_id)
$$;
comment on function postel.is_live(uuid) is 'Whether anything of a message is still to be delivered.';
