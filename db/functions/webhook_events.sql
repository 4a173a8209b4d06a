-- webhook_events: what webhooks call the events of the table `events`. Where one event may be told in several ways, what it is
-- shows in webhook_fan_out; events that are not here are told to nobody.
create or replace function postel.webhook_events()
returns table (event text, told text[])
language sql immutable parallel safe
as $$
  values
    ('accepted', array['email.sent', 'email.scheduled']),
    ('queued', array['email.sent']),
    ('delivered', array['email.delivered']),
    ('deferred', array['email.delivery_delayed']),
    ('bounced', array['email.bounced', 'email.failed']),
    ('returned', array['email.bounced']),
    ('expired', array['email.bounced', 'email.failed']),
    ('cancelled', array['email.canceled']),
    ('suppressed', array['email.suppressed']),
    ('opened', array['email.opened']),
    ('clicked', array['email.clicked']),
    ('complained', array['email.complained']),
    ('unsubscribed', array['email.unsubscribed']),
    ('domain.created', array['domain.created']),
    ('domain.updated', array['domain.updated']),
    ('domain.deleted', array['domain.deleted']),
    ('suppression.added', array['suppression.added']),
    ('suppression.removed', array['suppression.removed']),
    ('webhook.disabled', array['webhook.disabled']),
    ('quota.warning', array['quota.warning']),
    ('notice', array['notice'])
$$;
comment on function postel.webhook_events() is 'What webhooks call the events of the table events.';
