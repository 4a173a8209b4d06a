-- shipped_rules: the destination rules that come with this version, per source IP. Applied at each migration: rows of origin
-- `shipped` are made equal to this list, rows of origin `operator` stay and come before them, column by column. What a
-- provider publishes is kept to; where none does, the figures are careful ones of our own, because a provider's "slow
-- down" lowers them by itself and nothing raises a reputation that was lost.
with rules (
  name, domains, mx, connections_max, messages_per_connection, messages_per_minute, recipients_per_transaction, note
) as (
  values
  (
    'default', '{}'::text[], '{}'::text[], null::integer, 100, null::integer, 100,
    'Recipients: what every server must take (RFC 5321 4.5.3.1.8). Connections: DELIVERY_CONNECTIONS_PER_SITE.'
  ),
  (
    'google',
    '{gmail.com,googlemail.com}',
    '{google.com,googlemail.com}',
    10, 50, null, 100,
    'Gmail and Workspace. Google publishes requirements (support.google.com/mail/answer/81126), no limits on receiving; others hold to 5 to 10 connections of 50 messages.'
  ),
  (
    'microsoft',
    '{outlook.com,hotmail.com,live.com,msn.com,passport.com,windowslive.com,
      hotmail.be,hotmail.ca,hotmail.ch,hotmail.co.jp,hotmail.co.uk,hotmail.com.ar,hotmail.com.br,hotmail.com.tr,hotmail.de,
      hotmail.dk,hotmail.es,hotmail.fi,hotmail.fr,hotmail.gr,hotmail.it,hotmail.nl,hotmail.no,hotmail.se,
      live.at,live.be,live.ca,live.cl,live.cn,live.co.uk,live.co.za,live.com.ar,live.com.au,live.com.mx,live.com.pt,live.de,
      live.dk,live.fr,live.ie,live.it,live.jp,live.nl,live.no,live.se,
      outlook.at,outlook.be,outlook.cl,outlook.co.id,outlook.co.nz,outlook.com.ar,outlook.com.au,outlook.com.br,outlook.com.tr,
      outlook.cz,outlook.de,outlook.dk,outlook.es,outlook.fr,outlook.hu,outlook.ie,outlook.in,outlook.it,outlook.jp,outlook.kr,
      outlook.ph,outlook.pt,outlook.sa,outlook.sg}',
    '{olc.protection.outlook.com}',
    20, 50, null, 100,
    'Outlook.com and Hotmail. At most 500 connections without arrangement (sendersupport.olc.protection.outlook.com/pm/policies); far fewer are wise.'
  ),
  (
    'microsoft365',
    '{}',
    '{mail.protection.outlook.com,mx.microsoft}',
    20, 50, null, 100,
    'Exchange Online of companies, another service than Outlook.com. No figure for strangers is published.'
  ),
  (
    'yahoo',
    '{yahoo.com,ymail.com,rocketmail.com,myyahoo.com,aol.com,aim.com,
      yahoo.ca,yahoo.co.id,yahoo.co.in,yahoo.co.nz,yahoo.co.uk,yahoo.com.ar,yahoo.com.au,yahoo.com.br,yahoo.com.hk,yahoo.com.mx,
      yahoo.com.ph,yahoo.com.sg,yahoo.com.tr,yahoo.com.tw,yahoo.com.vn,yahoo.de,yahoo.dk,yahoo.es,yahoo.fr,yahoo.gr,yahoo.ie,
      yahoo.in,yahoo.it,yahoo.no,yahoo.pl,yahoo.ro,yahoo.se,aol.co.uk,aol.de,aol.fr,aol.it,verizon.net}',
    '{yahoodns.net}',
    10, 20, null, 50,
    'At most 20 messages a connection; connections with respect, no number given (help.yahoo.com/kb/SLN3433.html, senders.yahooinc.com/best-practices).'
  ),
  (
    'apple',
    '{icloud.com,me.com,mac.com}',
    '{mail.icloud.com}',
    10, 20, null, 50,
    'No limits published (support.apple.com/102322).'
  ),
  (
    'comcast',
    '{comcast.net}',
    '{comcast.net}',
    25, 1000, null, 100,
    'At most 25 connections per IP and 100 recipients a message (postmaster.comcast.net); over IPv6 1,000 messages an hour per network.'
  ),
  (
    'gmx',
    '{gmx.net,gmx.de,gmx.at,gmx.ch,gmx.com,gmx.fr,gmx.es,gmx.eu,gmx.co.uk,gmx.us,gmx.info,gmx.org,gmx.biz,web.de,mail.com,email.com}',
    '{gmx.net,web.de,mail.com}',
    5, 100, null, 50,
    'GMX, WEB.DE and mail.com are one company''s. It answers 421 to too much in a short time (postmaster.gmx.net), without a number.'
  ),
  (
    'orange',
    '{orange.fr,wanadoo.fr}',
    '{orange.fr}',
    2, 100, null, 100,
    '2 connections per IP, 100 messages a connection, 100 recipients a message (postmaster.orange.fr).'
  ),
  (
    'mailru',
    '{mail.ru,bk.ru,list.ru,inbox.ru,internet.ru,xmail.ru}',
    '{mail.ru}',
    5, 50, null, 50,
    'No limits published (postmaster.mail.ru/requirements).'
  )
),
gone as (
  delete from postel.destination_rules r
  where r.origin = 'shipped' and not exists (select from rules s where s.name = r.name)
)
insert into postel.destination_rules as r (
  name, origin, domains, mx, connections_max, messages_per_connection, messages_per_minute, recipients_per_transaction, note
)
select
  s.name, 'shipped', s.domains, s.mx, s.connections_max, s.messages_per_connection, s.messages_per_minute,
  s.recipients_per_transaction, s.note
from rules s
on conflict on constraint destination_rules_name_per_origin do update
set
  domains = excluded.domains,
  mx = excluded.mx,
  connections_max = excluded.connections_max,
  messages_per_connection = excluded.messages_per_connection,
  messages_per_minute = excluded.messages_per_minute,
  recipients_per_transaction = excluded.recipients_per_transaction,
  note = excluded.note
where (
  r.domains, r.mx, r.connections_max, r.messages_per_connection, r.messages_per_minute, r.recipients_per_transaction, r.note
) is distinct from (
  excluded.domains, excluded.mx, excluded.connections_max, excluded.messages_per_connection, excluded.messages_per_minute,
  excluded.recipients_per_transaction, excluded.note
);
