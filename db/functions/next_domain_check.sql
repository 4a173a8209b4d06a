-- next_domain_check: when DNS is looked at again for a domain. Soon while somebody is likely to be at it (a new domain, new
-- keys): every 5 minutes for a day, then each hour, after a month each day. Each day while it is verified, each hour when
-- that is in question. Null: never, as an operator vouches for it, and it has no new keys. Spread by a tenth, so that
-- domains made together part.
create or replace function postel.next_domain_check(
  p_domain postel.domains,
  p_unsure boolean,
  p_now timestamptz default now()
)
returns timestamptz
language plpgsql volatile
as $$
declare
  v_new_key timestamptz := (
    select max(k.created_at) from postel.dkim_keys k
    where k.domain_id = p_domain.id and not k.active and k.retires_at is null
  );
  v_since timestamptz;
  v_wait interval;
begin
  if p_domain.status = 'verified' and p_domain.verification_token is null and v_new_key is null then
    return null;
  end if;
  v_since := case p_domain.status
    when 'pending' then greatest(p_domain.created_at, v_new_key)
    when 'failed' then greatest(p_domain.failing_since, v_new_key)
    else v_new_key
  end;
  v_wait := case
    when p_domain.status = 'failed' and v_since > p_now - interval '30 days' then interval '1 hour'
    when v_since > p_now - interval '1 day' then interval '5 minutes'
    when p_domain.status = 'verified' and (p_unsure or p_domain.failing_since is not null) then interval '1 hour'
    when p_domain.status <> 'verified' and v_since > p_now - interval '30 days' then interval '1 hour'
    else interval '1 day'
  end;
  return p_now + v_wait * (0.9 + random() * 0.2);
end
$$;
comment on function postel.next_domain_check(postel.domains, boolean, timestamptz) is 'When DNS is looked at again for a domain.';
