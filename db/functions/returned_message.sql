-- returned_message: whether mail may come back about a message at this host: it has to be one below the domain that the message
-- was signed for, as that is where its bounces were asked for. What names the message was checked by the caller.
create or replace function postel.returned_message(p_message_id uuid, p_host text) returns boolean
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return exists (
    select from postel.messages m
    where m.id = p_message_id
      and right(lower(p_host), length(m.signing_domain) + 1) = '.' || m.signing_domain
  );
end
$$;
comment on function postel.returned_message(uuid, text) is
  'Whether bounces of a message may come to this host; inbound asks it.';
