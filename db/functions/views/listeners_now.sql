-- listeners_now: the connections of our processes that wait for notifications, and how full Postgres's queue of these is (it
-- fills when a listener sits in an open transaction; full, every commit that notifies fails).
create view postel.listeners_now as
select
  l.application_name,
  l.client_addr,
  date_trunc('second', now() - l.connected_at) as connected_for,
  date_trunc('second', now() - l.last_heard_at) as last_query,
  round(pg_notification_queue_usage()::numeric * 100, 2) as notification_queue_percent,
  l.pid
from postel.listeners() as l
order by l.application_name, l.connected_at;
comment on view postel.listeners_now is 'Who listens for notifications, since when, and how full the notification queue is.';
