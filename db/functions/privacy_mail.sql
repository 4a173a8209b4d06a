-- privacy_mail: the mail of an organization to an address (lower case, the domain in A-labels), newest first, after p_after.
create or replace function postel.privacy_mail(
  p_organization uuid,
  p_address text,
  p_after uuid default null,
  p_limit integer default 500
)
returns table (message_id uuid, number smallint)
language sql stable
as $$
  select d.message_id, d.number
  from postel.deliveries d
  join postel.messages m on m.id = d.message_id
  where hashtextextended(lower(d.recipient collate "C"), 0) = hashtextextended(lower(p_address collate "C"), 0)
    and lower(d.recipient) = p_address
    and m.organization_id = p_organization
    and (p_after is null or d.message_id < p_after)
  order by d.message_id desc, d.number
  limit p_limit
$$;
comment on function postel.privacy_mail(uuid, text, uuid, integer) is 'The mail of an organization to an address.';
