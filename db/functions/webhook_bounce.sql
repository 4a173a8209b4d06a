-- webhook_bounce: how a recipient's mail failed, in the words of Resend and SES: type Permanent (refused), Transient (what is
-- refused for now, until it was too old) or Undetermined; subType from the category of the last reply; message and
-- diagnosticCode the reply itself.
create or replace function postel.webhook_bounce(p_state text, p_category text, p_reply text) returns json
language sql immutable parallel safe
as $$
  select json_build_object(
    'type', case
      when p_state = 'bounced' then 'Permanent'
      when p_category in ('in_doubt', 'sender_died', 'signing') then 'Undetermined'
      else 'Transient'
    end,
    'subType', case
      when p_category = 'mailbox_full' then 'MailboxFull'
      when p_category = 'too_large' then 'MessageTooLarge'
      when p_category in ('spam', 'content', 'policy') then 'ContentRejected'
      when p_category is null or p_category in ('in_doubt', 'sender_died', 'signing') then 'Undetermined'
      else 'General'
    end,
    'message', p_reply,
    'diagnosticCode', json_build_array('smtp; ' || p_reply)
  )
$$;
comment on function postel.webhook_bounce(text, text, text) is 'How a recipient''s mail failed, as webhooks tell it.';
