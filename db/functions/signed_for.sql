-- signed_for: whether the message is to be signed by this domain.
create or replace function postel.signed_for(p_message_id uuid, p_domain text) returns boolean
-- plpgsql, because it keeps its plan over the million rows that it may be asked for
language plpgsql stable
as $$
begin
  return exists (
    select from postel.messages m where m.id = p_message_id and m.signing_domain = p_domain
  );
end
$$;
comment on function postel.signed_for(uuid, text) is 'Whether a message is to be signed by this domain.';
