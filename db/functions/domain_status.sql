-- domain_status: the state of a domain in Resend's words. partially_verified: it may send, but what receiving needs is not in
-- DNS. partially_failed: it may still send, but DNS has stopped to show what proves it.
create or replace function postel.domain_status(p_domain postel.domains) returns text
language sql immutable
as $$
  select case p_domain.status
    when 'pending' then case when p_domain.checked_at is null then 'not_started' else 'pending' end
    when 'verified' then case
      when p_domain.failing_since is not null then 'partially_failed'
      when p_domain.receiving and p_domain.receiving_verified_at is null and p_domain.checked_at is not null
        then 'partially_verified'
      else 'verified'
    end
    else p_domain.status
  end
$$;
comment on function postel.domain_status(postel.domains) is 'The state of a domain as the API shows it.';
