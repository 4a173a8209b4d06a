-- supersede_domain: another organization has proved the domain, so this one's verification ends: its mail is held, its admins are
-- told, and what DNS shows of it proves nothing any more, as it gets a new token and its keys no longer count as proof.
create or replace function postel.supersede_domain(p_id uuid, p_now timestamptz) returns void
language plpgsql
as $$
declare
  v_domain postel.domains;
begin
  update postel.domains d
  set
    status = 'failed',
    verified_at = null,
    verification_token = replace(gen_random_uuid()::text, '-', ''),
    superseded_at = p_now,
    failing_since = p_now,
    failed_checks = 0,
    return_path_verified_at = null,
    receiving_verified_at = null,
    tracking_verified_at = null
  where d.id = p_id
  returning d.* into v_domain;
  update postel.domains d set next_check_at = postel.next_domain_check(v_domain, false, p_now) where d.id = p_id;
  perform postel.hold_unverified(v_domain.organization_id, v_domain.name);
  perform postel.domain_event(v_domain, 'domain.updated');
  perform postel.send_notice(
    v_domain.organization_id,
    format('%s is verified by another organization', v_domain.name),
    format(
      E'DNS proves that %1$s belongs to another organization now, so your mail from it is held and nothing is lost.\n\nIf the domain is yours, set the new record that it shows under Domains, then verify it again: your mail goes on by itself.\n',
      v_domain.name
    )
  );
end
$$;
comment on function postel.supersede_domain(uuid, timestamptz) is
  'Ends the verification of a domain that another organization has proved.';
