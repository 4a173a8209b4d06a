-- sent_by: whether the message has this envelope sender: an address in lower case, or `*@example.com` for all of a domain.
create or replace function postel.sent_by(p_message_id uuid, p_sender text) returns boolean
-- plpgsql, because it keeps its plan over the million rows that it may be asked for
language plpgsql stable
as $$
begin
  return exists (
    select from postel.messages m
    where m.id = p_message_id
      and case when p_sender like '*@%' then right(lower(m.envelope_from), length(p_sender) - 1) = substr(p_sender, 2)
        else lower(m.envelope_from) = p_sender end
  );
end
$$;
comment on function postel.sent_by(uuid, text) is 'Whether a message has this envelope sender, or one of this domain.';
