/** Replies that mail server programs send, whoever runs them. */
import { type LabelledReply, replies } from './corpus.ts'

const postfix = replies(
  {
    provider: 'Postfix',
    source: 'Postfix logs quoted in public repositories and forums; https://www.postfix.org/postconf.5.html',
  },
  `
invalid_recipient rcpt | 550 5.1.1 <user@example.com>: Recipient address rejected: User unknown in virtual mailbox table
invalid_recipient rcpt | 550 5.1.1 <user@example.com>: Recipient address rejected: User unknown in local recipient table
invalid_recipient rcpt | 450 4.1.1 <user@example.com>: Recipient address rejected: User unknown in relay recipient table
invalid_recipient rcpt | 450 4.1.2 <user@exmaple.com>: Recipient address rejected: Domain not found
sender rcpt | 450 4.1.8 <news@mail.example.invalid>: Sender address rejected: Domain not found
sender rcpt | 553 5.1.8 <news@example.com>: Sender address rejected: Domain of sender address does not resolve
routing rcpt | 554 5.7.1 <user@example.com>: Relay access denied
routing rcpt | 454 4.7.1 <user@example.com>: Relay access denied
reputation rcpt | 450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.25]
reputation rcpt | 450 4.7.1 <mail.example.com>: Helo command rejected: Host not found
reputation rcpt | 504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname
reputation rcpt | 554 5.7.1 <unknown[192.0.2.25]>: Client host rejected: Access denied
reputation rcpt | 554 5.7.1 Service unavailable; Client host [192.0.2.25] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.25
reputation connect | 550 5.7.1 Service unavailable; client [192.0.2.25] blocked using zen.spamhaus.org
reputation rcpt | 554 Service unavailable; Client host [192.0.2.25] blocked using sbl-xbl.spamhaus.org; http://www.spamhaus.org/query/bl?ip=192.0.2.25
reputation rcpt | 554 5.7.1 Service unavailable; Client host [192.0.2.25] blocked using ix.dnsbl.manitu.net; Your e-mail service was detected by mx.selfip.biz (NiX Spam)
policy rcpt | 554 5.7.1 <user@example.com>: Recipient address rejected: Access denied
policy rcpt | 554 5.7.1 <news@example.com>: Sender address rejected: Access denied
remote_system rcpt | 450 4.7.1 <user@example.com>: Recipient address rejected: Service temporarily unavailable, please try later
greylisting rcpt | 450 4.2.0 <user@example.com>: Recipient address rejected: Greylisted
greylisting rcpt | 451 4.7.1 Greylisting in action, please come back later
remote_system rcpt | 450 4.1.1 <user@example.com>: Recipient address rejected: unverified address: connect to mail.example.com[203.0.113.5]:25: Connection timed out
remote_system rcpt | 451 4.3.0 <news@example.com>: Temporary lookup failure
remote_system rcpt | 451 4.3.5 Server configuration error
remote_system dot | 451 4.3.0 Error: queue file write error
remote_system mail | 452 4.3.1 Insufficient system storage
rate mail | 450 4.7.1 Error: too much mail from 192.0.2.25
rate connect | 421 4.7.0 mx.example.com Error: too many connections from 192.0.2.25
rate | 421 4.7.0 mx.example.com Error: too many errors
timeout dot | 421 4.4.2 mx.example.com Error: timeout exceeded
tls mail | 530 5.7.0 Must issue a STARTTLS command first
tls starttls | 454 4.7.0 TLS not available due to local problem
too_large mail | 552 5.3.4 Message size exceeds fixed limit
too_large dot | 552 5.3.4 Error: message file too big
sender mail | 501 5.1.7 Bad sender address syntax
invalid_recipient rcpt | 501 5.1.3 Bad recipient address syntax
protocol rcpt | 503 5.5.1 Error: need MAIL command
protocol data | 554 5.5.1 Error: no valid recipients
protocol | 502 5.5.2 Error: command not recognized
invalid_recipient rcpt | 504 5.5.2 <user>: Recipient address rejected: need fully-qualified address
policy dot | 550 5.7.1 Command rejected
mailbox_full rcpt | 452 4.2.2 <user@example.com>: Recipient address rejected: Mailbox is full / Blocks limit exceeded / Inode limit exceeded
mailbox_full dot | 552 5.2.2 <user@example.com> Quota exceeded (mailbox for user is full)
routing dot | 554 5.4.6 Error: too many hops
routing dot | 554 5.4.0 Error: too many hops
rate rcpt | 452 4.5.3 Error: too many recipients
reputation mail | 550 Access denied - Invalid HELO name (See RFC2821 4.1.1.1)
`,
)

const exim = replies(
  {
    provider: 'Exim',
    source:
      'https://www.exim.org/exim-html-current/doc/html/spec_html/, https://techjourney.net/?p=4273 and forum posts',
  },
  `
invalid_recipient rcpt | 550 Unrouteable address
invalid_recipient rcpt | 550-Verification failed for <user@example.com> ¶ 550-No such user here ¶ 550 Unrouteable address
sender rcpt | 550-Verification failed for <news@example.com> ¶ 550-The mail server could not deliver mail to news@example.com. The account or domain may not exist, they may be blacklisted, or missing the proper dns entries. ¶ 550 Sender verify failed
sender rcpt | 550-Postmaster verification failed while checking <news@example.org> ¶ 550-Called:   203.0.113.62 ¶ 550-Sent:     RCPT TO:<postmaster@example.org> ¶ 550-Response: 550 <postmaster@example.org>: User unknown ¶ 550-Several RFCs state that you are required to have a postmaster ¶ 550-mailbox for each mail domain. This host does not accept mail ¶ 550-from domains whose servers reject the postmaster address. ¶ 550 Sender verify failed
sender rcpt | 451 Could not complete sender verify callout
remote_system | 451 Temporary local problem - please try later
remote_system rcpt | 451 Could not complete recipient verify callout
routing rcpt | 550 relay not permitted
routing rcpt | 550 Relay not permitted, authentication required
policy dot | 550 Administrative prohibition
reputation connect | 550-JunkMail rejected - mail.example.com [192.0.2.25]:52114 is in an ¶ 550 RBL on rbl.websitewelcome.com, see http://www.spamhaus.org/query/bl?ip=192.0.2.25
reputation rcpt | 550 "REJECTED - Bad HELO - Host impersonating [example.com]"
spam dot | 550 This message was classified as SPAM and may not be delivered
spam dot | 550 This message scored 11.4 points. Congratulations!
content dot | 550 This message contains malformed MIME (Unexpected end of file).
content dot | 552 Message content rejected: this message contains a virus (Eicar-Test-Signature).
connection dot | 421 Lost incoming connection
timeout dot | 421 mx.example.com: SMTP command timeout - closing connection
rate connect | 421 Too many concurrent SMTP connections from this IP address; please try again later.
rate connect | 421 Too many concurrent SMTP connections; please try again later.
greylisting rcpt | 451-192.0.2.25 is not yet authorized to deliver mail from ¶ 451-<news@example.com> to <user@example.com>. ¶ 451 Please try later. (greylisting)
too_large mail | 552 Message size exceeds maximum permitted
protocol | 500 Too many syntax or protocol errors
protocol | 554 SMTP synchronization error
reputation connect | 550-Reverse DNS lookup failed for host 192.0.2.25. ¶ 550 Not sent - no reverse lookup
mailbox_full rcpt | 452 4.2.2 Mailbox quota usage exceeded
mailbox_full rcpt | 552 Mailbox is full / Blocks limit exceeded / Inode limit exceeded
`,
)

const sendmail = replies(
  {
    provider: 'Sendmail',
    source: 'Delivery reports quoted in public repositories and mailing lists',
  },
  `
invalid_recipient rcpt | 550 5.1.1 <user@example.com>... User unknown
invalid_recipient rcpt | 553 5.3.0 <user@example.com>... Addressee unknown, relay=[192.0.2.25]
invalid_recipient rcpt | 550 5.1.2 <user@exmaple.com>... Host unknown (Name server: exmaple.com: host not found)
sender mail | 553 5.1.8 <news@host1.example.com>... Domain of sender address news@host1.example.com does not exist
sender mail | 451 4.1.8 Domain of sender address news@example.com does not resolve
routing rcpt | 550 5.7.1 <user@example.com>... Relaying denied. Proper authentication required.
routing rcpt | 550 5.7.1 <user@example.com>... Relaying denied. IP name lookup failed [192.0.2.25]
policy mail | 550 5.7.1 <news@example.com>... Access denied
reputation mail | 550 5.7.1 Mail from 192.0.2.25 refused by blackhole site bl.spamcop.net
rate connect | 421 4.3.2 Connection rate limit exceeded.
rate connect | 421 4.3.2 Too many open connections.
rate rcpt | 452 4.5.3 Too many recipients
remote_system mail | 452 4.4.5 Insufficient disk space; try again later
remote_system dot | 451 4.0.0 I/O error
remote_system | 553 5.3.5 system config error
content dot | 552 5.6.0 Headers too large (32768 max)
too_large mail | 552 5.2.3 Message size exceeds maximum value
routing rcpt | 554 5.0.0 MX list for example.ws. points back to mail01.example.com
mailbox_disabled rcpt | 450 4.2.1 <user@example.com>... mailbox temporarily disabled
greylisting rcpt | 451 4.7.1 Greylisting in action, please come back in 00:05:00
policy rcpt | 550 5.7.1 Unable to deliver to <user@example.com>
dns rcpt | 451 example.com.tw: Name server timeout
timeout | 421 4.4.1 mx.example.com: Timed out waiting for input
`,
)

const qmail = replies(
  {
    provider: 'qmail',
    source: 'http://wiki.qmailtoaster.org/ and delivery reports quoted in public repositories',
  },
  `
invalid_recipient rcpt | 550 sorry, no mailbox here by that name. (#5.1.1)
invalid_recipient rcpt | 553 sorry, no mailbox here by that name (#5.7.1)
invalid_recipient rcpt | 550 sorry, no mailbox here by that name (#5.1.1 - chkuser)
routing rcpt | 553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)
routing rcpt | 553 sorry, that domain isn't in my list of allowed rcpthosts (#5.5.3 - chkuser)
policy rcpt | 553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)
mailbox_full dot | 451 qq trouble in home directory (#4.3.0)
remote_system dot | 451 qq write error or disk full (#4.3.0)
content dot | 554 qq Permanent message rejection (#5.3.0) - virus found
too_large dot | 552 sorry, that message size exceeds my databytes limit (#5.3.4)
routing dot | 554 too many hops, this message is looping (#5.4.6)
auth mail | 550 See http://spf.pobox.com/why.html?sender=news%40example.com&ip=192.0.2.25&receiver=mx.example.com (#5.7.1)
dns mail | 451 SPF lookup failure (#4.3.0)
sender mail | 550 sorry, invalid sender domain, no MX for example.invalid (#5.1.8 - chkuser)
mailbox_full rcpt | 571 sorry, recipient mailbox is full (#5.7.1 - chkuser)
reputation connect | 451 Bad reverse DNS.
protocol dot | 451 See http://pobox.com/~djb/docs/smtplf.html.
invalid_recipient rcpt | 554 qq Sorry, no valid recipients (#5.1.3)
`,
)

const others = [
  ...replies(
    {
      provider: 'amavis and SpamAssassin',
      source: 'Mailing lists: git@vger.kernel.org (2007), linux-kernel (2021), netdev (2023); forum posts',
    },
    `
content dot | 554 5.6.0 Reject, id=10432-16 - BAD_HEADER: Duplicate header field: "From"
remote_system dot | 451 4.5.0 Error in processing, id=07411-04, virus_scan FAILED: virus_scan: ALL VIRUS SCANNERS FAILED
spam dot | 550 5.7.1 Spamassassin considers this message SPAM. In case you disagree, send the ENTIRE message (preferably as a saved attachment) plus this error message to <postmaster@example.org>
spam dot | 550 5.7.1 Content-Policy accept-into-freezer-1 msg: Bayes Statistical Bogofilter considers this message SPAM.  BF:<S 0.9924>  In case you disagree, send the ENTIRE message plus this error message to <postmaster@example.org>
spam dot | 554 5.7.0 Reject, id=20171-07 - SPAM
content dot | 554 5.7.0 Reject, id=20172-01 - INFECTED: Eicar-Test-Signature
content dot | 554 5.6.0 Message with invalid header rejected, id=13462-01 - MIME error: error: UnexpectedBound: part didn't end with expected boundary
`,
  ),
  ...replies(
    {
      provider: 'rspamd and milters',
      source:
        'https://github.com/rspamd/rspamd/issues/5343, https://github.com/poolpOrg/filter-rspamd/pull/5, https://github.com/NethServer/dev/issues/5811, https://github.com/mailcow/mailcow-dockerized/issues/1497',
    },
    `
spam dot | 554 5.7.1 Spam message rejected
greylisting dot | 451 Try again later
content dot | 550 Rejected due to bad file extension in attachment
content dot | 554 5.7.1 Forbidden attachment name extension
rate dot | 451 4.7.1 Ratelimit "user" exceeded
`,
  ),
  ...replies(
    {
      provider: 'Domino, Zimbra and others',
      source:
        'Delivery reports quoted by bounce handlers (phpmailer-bmh, Lethe) and by https://github.com/sisimai',
    },
    `
invalid_recipient rcpt | 554 User user@example.com not listed in Domino Directory
invalid_recipient rcpt | 550 user@example.com... No such user
invalid_recipient rcpt | 550 5.1.1 <user@example.com>... email address lookup in domain map failed
invalid_recipient rcpt | 550 User not a member of domain: <user@example.com>
invalid_recipient rcpt | 550-"The recipient cannot be verified.  Please check all recipients of this ¶ 550 message to verify they are valid."
routing rcpt | 550 Unable to relay for user@example.com
invalid_recipient rcpt | 550-I'm sorry but user@example.com does not have an account here. I will not ¶ 550 accept mail for it.
mailbox_disabled rcpt | 550 This account is not allowed...user@example.com
mailbox_disabled rcpt | 550 <user@example.com>: inactive user
mailbox_disabled rcpt | 550 user@example.com Account Inactive
mailbox_disabled rcpt | 550 <user@example.com>: Recipient address rejected: Account closed due to inactivity. No forwarding information is available.
mailbox_disabled rcpt | 550 <user@example.com>... User account not activated
mailbox_disabled rcpt | 550 User suspended
mailbox_disabled rcpt | 550 account expired
invalid_recipient rcpt | 553 5.3.0 <user@example.com>... Recipient address no longer exists
policy rcpt | 553 mailbox user@example.com is restricted
mailbox_disabled rcpt | 550 <user@example.com>: User status is locked.
policy rcpt | 553 User refused to receive this mail.
sender mail | 501 news@example.com Sender email is not in my domain
policy dot | 554 Message refused
relay_auth rcpt | 553 AUTH FAILED - news@example.com
routing rcpt | 550 not local host example.com, not a gateway
routing rcpt | 500 Unauthorized relay msg rejected
policy dot | 554 Transaction failed
content dot | 554 5.5.2 Invalid data in message
content dot | 552 MessageWall: MIME/REJECT: Invalid structure
invalid_recipient rcpt | 550 Host unknown
remote_system | 451 System(u) busy, try again later.
auth mail | 554 Connection refused(mx). MAIL FROM [news@example.com] mismatches client IP [192.0.2.25].
reputation connect | 554 Please visit http://antispam.example.com/denyip.php?IP=192.0.2.25 (#5.7.1)
spam dot | 552 sorry, the spam message is detected (#5.6.0)
sender mail | 550 Verify mailfrom failed,blocked
spam dot | 554 5.7.1 Message scored too high on spam scale.  For help, please quote incident ID 22492290.
spam dot | 550 sorry, it seems as a junk mail
mailbox_full dot | 452 recipient storage full, try again later
mailbox_full rcpt | 552 5.2.2 This message is larger than the current system limit or the recipient's mailbox is full. Create a shorter message body or remove attachments and try sending it again.
invalid_recipient rcpt | 450 user path no exist
invalid_recipient rcpt | 550 Mailbox ( user@example.com ) not found or inactivated
mailbox_disabled rcpt | 550 <user> is now disabled with MTA service.
invalid_recipient rcpt | 501 #5.1.1 bad address user@example.com
reputation connect | 550 5.7.1 Access-Denied-XM.SSR-001
spam dot | 554 Your message was rejected because it appears to be part of a spam bomb
reputation connect | 550 Your host in blacklist on this server.
reputation connect | 550 Message rejected due to sender IP reputation ([192.0.2.25])
rate | 421 Too many messages (1.5.6.1) from 192.0.2.25
spam dot | 554 Message rejected, policy (3.2.1.1) - Your message looks like SPAM or has been reported as SPAM please read https://www.bt.com/
spam dot | 554 Rejected by URIBL.
invalid_recipient rcpt | 551 not our customer
rate connect | 450 too frequent connects from 192.0.2.25, please try again later.
reputation connect | 554 vsmtp20.example.it. Server not available - access denied
reputation mail | 550 mail not accepted from blacklisted IP address 192.0.2.25
invalid_recipient rcpt | 550 5.2.0 No such mailbox
mailbox_full rcpt | 450 4.2.2 user@example.jp... Mailbox is full.
remote_system mail | 452 4.3.1 Mail system storage is full.
invalid_recipient rcpt | 550 Destinatario sconosciuto o mailbox disattivata
mailbox_disabled rcpt | 550 Esta casilla ha expirado por falta de uso
`,
  ),
]

/** Postfix, Exim, Sendmail, qmail and what runs beside them. */
export const mailServers: readonly LabelledReply[] = [...postfix, ...exim, ...sendmail, ...qmail, ...others]
