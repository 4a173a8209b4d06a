-- recent_failures: the last hundred tries that did not deliver, newest first.
create view postel.recent_failures as
select
  t.at,
  t.outcome,
  d.recipient,
  a.address as source_ip,
  t.mx_host,
  t.code,
  t.enhanced_code,
  t.category,
  t.reply,
  t.in_doubt,
  t.message_id
from postel.attempts t
join postel.deliveries d on d.message_id = t.message_id and d.number = t.number
left join postel.ip_addresses a on a.id = t.ip_id
where t.outcome <> 'delivered'
  and t.message_id > postel.uuid_v7_floor(now() - interval '4 days')
  and t.at > now() - interval '1 day'
order by t.at desc
limit 100;
comment on view postel.recent_failures is 'The last hundred tries of a day that did not deliver.';
