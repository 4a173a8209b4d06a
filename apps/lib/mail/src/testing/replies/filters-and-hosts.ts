/** Replies of filtering services and of companies that host mail for others. */
import { type LabelledReply, replies } from './corpus.ts'

const filters = [
  ...replies(
    {
      provider: 'Proofpoint',
      source:
        'https://smtp.codes/proofpoint and https://www.suped.com/learn/email-deliverability/how-to-troubleshoot-proofpoint-deferrals-and-ip-reputation-issues',
      mxHost: 'mxa-00178001.gslb.pphosted.com',
    },
    `
reputation connect | 421 Deferred - see https://ipcheck.proofpoint.com/?ip=192.0.2.25
remote_system rcpt | 421 4.1.1 <user@example.com>: Recipient address rejected: unverified address: host mail.example.com[203.0.113.5] said: 450 4.1.1 <user@example.com>: Recipient address rejected: unverified address: lost connection with mail.example.com[203.0.113.5] while sending RCPT TO
remote_system rcpt | 421 4.1.1 <user@example.com>: Recipient address rejected: unverified address: Address verification in progress
invalid_recipient rcpt | 550 5.1.1 <user@example.com>: Recipient address rejected: undeliverable address: host mail.example.com[203.0.113.5] said: 550 5.1.1 <user@example.com>: Recipient address rejected: user unknown
invalid_recipient rcpt | 550 5.1.1 User Unknown
invalid_recipient rcpt | 550 5.1.1 - This is not a valid email address. Please verify that you have the correct email address for your recipient.
sender rcpt | 550 5.1.8 Domain of sender address news@example.com does not exist
sender rcpt | 550 5.5.2 <news>: Sender address rejected: need fully-qualified address
auth dot | 550 5.7.0 Local Policy Violation - DMARC Reject
auth dot | 550 5.7.0 Email rejected per sender's DMARC policy
invalid_recipient rcpt | 550 5.7.1 <user@example.com>: Recipient address rejected: User email address is marked as invalid.
routing rcpt | 550 5.7.1 Relaying denied
reputation rcpt | 550 5.7.1 Service unavailable; client [192.0.2.25] blocked using prs.proofpoint.com
reputation connect | 554 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.25
`,
  ),
  ...replies(
    {
      provider: 'Cloudmark',
      source: 'https://smtp.codes/proofpoint',
    },
    `
reputation connect | 550 5.7.1 Service unavailable; client [192.0.2.25] blocked using Cloudmark Sender Intelligence (Visit http://csi.cloudmark.com/reset-request/ if you feel this is in error)
`,
  ),
  ...replies(
    {
      provider: 'Mimecast',
      source:
        'https://community.mimecast.com/s/article/Mimecast-SMTP-Error-Codes-842605754 and https://smtp.codes/mimecast',
      mxHost: 'eu-smtp-inbound-1.mimecast.com',
    },
    `
policy connect | 421 Sender address blocked - https://community.mimecast.com/docs/DOC-1369#421 [RF3bqGZdNQ-zoQ]
routing rcpt | 451 Open relay not allowed - https://community.mimecast.com/docs/DOC-1369#451 [1eYv1fQwP]
greylisting rcpt | 451 Internal resource temporarily unavailable - https://community.mimecast.com/docs/DOC-1369#451 [nLk3Rjr]
reputation connect | 451 IP temporarily blacklisted - https://community.mimecast.com/docs/DOC-1369#451 [Oet3]
mailbox rcpt | 451 Recipient temporarily unavailable - https://community.mimecast.com/docs/DOC-1369#451 [W1vT]
policy rcpt | 451 Account inbounds disabled - https://community.mimecast.com/docs/DOC-1369#451 [a7Gb]
rate connect | 451 Account service is temporarily unavailable - https://community.mimecast.com/docs/DOC-1369#451 [b8Hc]
remote_system connect | 451 Unable to process connection at this time - https://community.mimecast.com/docs/DOC-1369#451 [c9Id]
remote_system dot | 451 Unable to process email at this time - https://community.mimecast.com/docs/DOC-1369#451 [d1Je]
rate rcpt | 452 Too many recipients - https://community.mimecast.com/docs/DOC-1369#452 [e2Kf]
invalid_recipient rcpt | 550 Invalid Recipient - https://community.mimecast.com/docs/DOC-1369#550 [f3Lg]
policy rcpt | 550 Administrative prohibition - envelope blocked - https://community.mimecast.com/docs/DOC-1369#550 [g4Mh]
policy rcpt | 550 Envelope blocked - User Domain Entry - https://community.mimecast.com/docs/DOC-1369#550 [h5Ni]
policy dot | 550 Rejected by header based Anti-Spoofing policy: news@example.com - https://community.mimecast.com/docs/DOC-1369#550 [i6Oj]
policy dot | 550 Rejected by header based manually Blocked Senders: news@example.com - https://community.mimecast.com/docs/DOC-1369#550 [j7Pk]
reputation rcpt | 550 Local CT IP Reputation - (reject) - https://community.mimecast.com/docs/DOC-1369#550 [k8Ql]
auth rcpt | 550 SPF Sender Invalid - envelope rejected - https://community.mimecast.com/docs/DOC-1369#550 [l9Rm]
auth dot | 550 DKIM Sender Invalid - envelope rejected - https://community.mimecast.com/docs/DOC-1369#550 [m1Sn]
auth dot | 550 DMARC Sender Invalid - envelope rejected - https://community.mimecast.com/docs/DOC-1369#550 [n2To]
policy dot | 550 Message bounced due to Content Examination Policy - https://community.mimecast.com/docs/DOC-1369#550 [o3Up]
tls rcpt | 553 This route requires encryption (TLS) - https://community.mimecast.com/docs/DOC-1369#553 [p4Vq]
tls rcpt | 553 This route requires TLS version 1.2 or greater - https://community.mimecast.com/docs/DOC-1369#553 [q5Wr]
too_large dot | 554 Maximum email size exceeded - https://community.mimecast.com/docs/DOC-1369#554 [r6Xs]
routing dot | 554 Mail loop detected - https://community.mimecast.com/docs/DOC-1369#554 [s7Yt]
policy connect | 554 Host network not allowed - https://community.mimecast.com/docs/DOC-1369#554 [t8Zu]
spam dot | 554 Email rejected due to security policies - https://community.mimecast.com/docs/DOC-1369#554 [u9Av]
`,
  ),
  ...replies(
    {
      provider: 'Barracuda',
      source:
        'https://smtp.codes/barracuda, http://tig.csail.mit.edu/wiki/TIG/EmailBlockedByBarracuda and https://github.com/getconversio/email-deep-validator/pull/20',
      mxHost: 'd12345a.ess.barracudanetworks.com',
    },
    `
remote_system rcpt | 421 Temporary failure, please try again later.
remote_system rcpt | 422 License Expired
policy rcpt | 450 cuda_nsu 4.7.1 <user@example.com>: Recipient address rejected: Policy Rejection- Abuse. Go away.
greylisting rcpt | 451 4.7.1 <user@example.com>: Recipient address rejected: Greylisted for 5 minutes
greylisting | 451 4.7.1 Try again later
remote_system rcpt | 451 cuda_nsu 4.4.3 Temporary server error. Please try again later
invalid_recipient rcpt | 550 cuda_nsu 5.1.1 <user@example.com>... User unknown
invalid_recipient rcpt | 550 No such user (user@example.com)
invalid_recipient rcpt | 550 cuda_nsu 5.4.1 [user@example.com]: Recipient address rejected: Access denied [AM5EUR03FT030.eop-EUR03.prod.protection.outlook.com]
policy dot | 550 permanent failure for one or more recipients (user@example.com:blocked)
policy dot | 550 rejecting spoofed message
spam dot | 554 rejected due to spam URL in content
content dot | 554 rejecting banned content
reputation dot | 554-Service unavailable; Client host [bl11-253-215.dsl.example.net] blocked using ¶ 554-Barracuda Reputation; ¶ 554 http://www.barracudanetworks.com/reputation/?r=1&ip=192.0.2.25
reputation rcpt | 550 5.7.1 Service unavailable; Client host [192.0.2.25] blocked using b.barracudacentral.org; http://www.barracudanetworks.com/reputation/?pr=1&ip=192.0.2.25
`,
  ),
  ...replies(
    {
      provider: 'Symantec',
      source:
        'https://knowledge.broadcom.com/external/article/169652 and https://knowledge.broadcom.com/external/article/162445',
      mxHost: 'cluster5.eu.messagelabs.com',
    },
    `
remote_system connect | 421 Service Temporarily Unavailable
remote_system | 450 Requested action aborted [9] 20801-1, please visit https://knowledge.broadcom.com/external/article?legacyId=TECH246726 for more details about this error message.
tls rcpt | 451 TLS/SSLv3 Connection required. (#4.7.1)
rate rcpt | 460 too many messages (#4.3.0)
reputation connect | 501 Connection rejected by policy [7.7] 20805, please visit www.messagelabs.com/support for more details about this error message.
invalid_recipient rcpt | 550-Invalid recipient <user@example.com> ¶ 550 (#5.1.1)
auth dot | 553-SPF (Sender Policy Framework) domain authentication ¶ 553 fail. Refer to the Troubleshooting page at https://knowledge.broadcom.com
reputation connect | 553-mail rejected because your IP is in the PBL. See http://www.spamhaus.org/pbl
content dot | 553 Stray linefeeds in message (#5.6.2)
routing rcpt | 553 you are trying to use me [server-13.tower-23.messagelabs.com] as a relay, but I have not been configured to let you [192.0.2.25, mail.example.com] do this. (#5.7.1)
policy mail | 553 sorry, your envelope sender is in my badmailfrom list. Please visit www.symanteccloud.com/troubleshooting for more details. (#5.7.1)
policy mail | 553-Sorry, your email address has been blocked
reputation connect | 553-Sorry, your IP address has been blacklisted
spam dot | 553-Message filtered. Refer to the Troubleshooting page at ¶ 553-http://www.symanteccloud.com/troubleshooting for more ¶ 553 information. (#5.7.1)
invalid_recipient rcpt | 553 Recipient mailbox is not allowed
`,
  ),
  ...replies(
    {
      provider: 'Symantec (quoted)',
      source:
        'https://knowledge.broadcom.com/external/article/162445/outbound-mail-returned-by-mailerdaemonme.html',
    },
    `
too_large dot | 552 Message size exceeds fixed limit
invalid_recipient rcpt | 554 5.7.1 <user@example.com>: Recipient address rejected: No such user
policy dot | 554 Denied (Mode: normal)
policy dot | 550 Denied by policy
content dot | 552 MS-Office file containing VBA macros found inside of the email
content dot | 550 5.7.1 Message rejected due to content restrictions
policy mail | 554 5.1.0 Sender denied
auth mail | 550 SPF check failed. Sender not authorized
auth mail | 550 5.7.1 SPF unauthorized mail is prohibited.
`,
  ),
  ...replies(
    {
      provider: 'Trend Micro',
      source:
        'https://smtp.codes/trendmicro and https://docs.trendmicro.com/en-us/documentation/article/deep-discovery-email-inspector-51-online-help-smtp-error-codes',
      mxHost: 'example.in.tmes.trendmicro.com',
    },
    `
reputation connect | 550 5.7.1 <user@example.com>: Recipient address rejected: ERS-Customized-Block.
policy rcpt | 554 5.7.1 <user@example.com>: Recipient address rejected: BLOCK-SEND-ER.
invalid_recipient rcpt | 554 5.7.1 <user@example.com>: Recipient address rejected: Invalid-Recipient.
routing rcpt | 554 5.7.1 <user@example.com>: Recipient address rejected: NO-DOMAIN.
reputation connect | 450 Temporary denial of connection (450) for Zombie matches (ERS)
reputation connect | 550 Permanent denial of connection (550) for RBL+ matches (ERS)
reputation rcpt | 550 5.7.1 Service unavailable; Client host [192.0.2.25] blocked using Trend Micro Email Reputation database. Please see <http://www.mail-abuse.com/cgi-bin/lookup?192.0.2.25>
`,
  ),
  ...replies(
    {
      provider: 'Cisco',
      source:
        'https://smtp.codes/cisco and https://portal.smartertools.com/kb/a3500/554-error-mta-poor-reputation-fixes.aspx',
      mxHost: 'mx1.hc1234-56.iphmx.com',
    },
    `
reputation connect | 554-esa1.hc1234-56.iphmx.com ¶ 554 Your access to this mail system has been rejected due to the sending MTA's poor reputation. If you believe that this failure is in error, please contact the intended recipient via alternate means.
reputation rcpt | 550 5.7.1 Your access to submit messages to this e-mail system has been rejected.
invalid_recipient rcpt | 550 #5.1.0 Address rejected.
sender mail | 553 #5.1.8 Domain of sender address <nwq7bw@psrp.example.net> does not exist
`,
  ),
  ...replies(
    {
      provider: 'Hornetsecurity',
      source: 'https://support.everycloud.com/support/solutions/articles/4000039509-workspace-reason-codes',
      mxHost: 'mx01.hornetsecurity.com',
    },
    `
invalid_recipient rcpt | 550 5.1.1 <user@example.com>: Recipient address rejected: undeliverable address: unknown user: "user@example.com"
reputation rcpt | 554 5.5.4 IP sender address with a negative reputation
spam dot | 554 5.6.1 signature of spam in mail header resp. subject
content dot | 554 5.6.4 virus email blocked
routing dot | 554 5.5.6 loop detection
`,
  ),
  ...replies(
    {
      provider: 'FireEye',
      source: 'https://smtp.codes/fireeye',
      mxHost: 'primary.us.email.fireeyecloud.com',
    },
    `
auth dot | 550 5.7.26 <user@example.com>: ETP205 DMARC Failure for domain
`,
  ),
  ...replies(
    { provider: 'ZeroSpam', source: 'https://smtp.codes/zerospam', mxHost: 'mx1.zerospam.ca' },
    `
greylisting rcpt | 450 4.2.0 <user@example.com>: Recipient address rejected: example.com greylisted for 60 seconds by ZEROSPAM
invalid_recipient rcpt | 554 5.7.1 <user@example.com>: Recipient address rejected: Not in recipient list
`,
  ),
  ...replies(
    {
      provider: 'Vade',
      source: 'https://postmaster-oxsus.vadesecure.com/',
      mxHost: 'mx1.oxsus-vadesecure.net',
    },
    `
reputation connect | 550 5.7.1 Connection refused OXSUS0001_101
rate connect | 421 4.2.1 Connection refused OXSUS0001_110
`,
  ),
]

const hosts = [
  ...replies(
    {
      provider: 'GoDaddy',
      source:
        'https://www.godaddy.com/help/fix-rejected-email-with-a-bounce-error-40685 and https://smtp.codes/godaddy',
      mxHost: 'smtp.secureserver.net',
    },
    `
rate connect | 421 Connection refused, too many sessions from 192.0.2.25. Please lower the number of concurrent sessions. IB007
remote_system connect | 421 Server temporarily unavailable. Try again later. IB101
reputation connect | 421 Temporarily rejected. Reverse DNS for 192.0.2.25 failed. IB108
rate rcpt | 452 This message contains too many recipients. Reduce the number of recipients and retry. IB605
sender mail | 550 <> Blank From: addresses are not allowed. Provide a valid From. IB501
sender mail | 550 example.com From: Domain is invalid. Provide a valid From: IB506
auth mail | 550 192.0.2.25 is not allowed to send from <example.com> per its SPF Record. Please inspect your SPF settings, and try again. IB508
rate deferred rcpt | 550 192.0.2.25 has sent too many messages this hour. IB504
rate deferred mail | 550 This message has exceeded the max number of messages per session. Please open a new session and try again. IB510
spam dot | 552 p3plibsmtp03 This message has been rejected due to content judged to be spam by the internet community IB212
content dot | 552 p3plibsmtp03 Virus infected message rejected. IB705
too_large dot | 552 p3plibsmtp03 Message size exceeds maximum permitted. Please reduce message size, and retry.
reputation connect | 554 192.0.2.25 has been temporarily blocked for attempting to send too many messages containing content judged to be spam by the internet community. IB110
reputation connect | 554 192.0.2.25 has been blocked for the day, for attempting to mail too many invalid recipients. IB113
reputation connect | 554 IB103. Connection refused. 192.0.2.25 has a poor reputation on Cloudmark Sender Intelligence (CSI).
reputation connect | 554 IB106. Connection refused. 192.0.2.25 is listed on the Policy Block List (PBL).
reputation connect | 554 RBL Reject - Please submit an unblock request <http://unblock.secureserver.net/?ip=192.0.2.25>
routing dot | 554 This message is looping: it already has my Delivered-To line. (#5.4.6)
reputation ehlo | 501 HELO/EHLO rejected. IB301
`,
  ),
  ...replies(
    {
      provider: 'Rackspace',
      source: 'https://postmaster.emailsrvr.com/system-info/response-codes and https://smtp.codes/rackspace',
      mxHost: 'mx1.emailsrvr.com',
    },
    `
rate connect | 421 Too many concurrent connections from this client (G2)
reputation connect | 450 4.7.1 Client host 192.0.2.25 has no PTR record (G1F)
remote_system rcpt | 450 4.4.1 <user@example.com>: The recipient's server was temporarily unavailable to accept your message (G6)
mailbox rcpt | 450 4.2.1 <user@example.com>: Mailbox received too much email in a short period of time (G30)
routing dot | 450 4.4.6 Routing loop detected (G16)
dns dot | 450 4.4.0 <user@example.com> Temporary DMARC DNS lookup failure (G1E)
rate rcpt | 451 4.7.1 Received too many messages from a new or untrusted IP (G28)
invalid_recipient rcpt | 550 5.1.1 Email address could not be found, or was misspelled (G8)
policy dot | 550 5.7.1 The recipient's server refused to accept your message (G7)
policy mail | 550 5.7.1 Sender's MX record not allowed (G14)
auth mail | 550 5.1.0 Sender is not allowed to send from example.com
content dot | 550 5.7.1 Virus found (G3)
auth dot | 550 5.7.1 Email rejected per DMARC policy for example.com (G15)
content dot | 550 5.7.0 mime_banned_file - Your message has been rejected because it contains a banned file attachment (G1A)
policy rcpt | 554 5.7.1 news@example.com: Sender address rejected: Blocked by this recipient (GE)
reputation connect | 554 5.7.1 ACL dns_rbl; Client host 192.0.2.25 blocked using Senderscore. Please visit Senderscore for more information on why this message could not be delivered (G31)
`,
  ),
  ...replies(
    { provider: 'Zoho', source: 'https://smtp.codes/zoho', mxHost: 'mx.zoho.com' },
    `
greylisting rcpt | 451 4.7.1 Greylisted, try again after some time
remote_system | 452 4.3.1 Temporary System Error
policy rcpt | 541 5.4.1 Mail rejected by destination domain
invalid_recipient rcpt | 550 5.1.1 User does not exist - <user@zoho.com>
policy rcpt | 552 5.1.1 <user@zoho.com> Mailbox delivery failure policy error
content dot | 552 5.7.1 virus Eicar-Test-Signature detected by Zoho Mail
routing rcpt | 553 Relaying disallowed as news@example.com
policy dot | 554 5.2.3 MailPolicy violation Error delivering to mailboxes,mx.zoho.com
spam dot | 554 5.7.1 Email cannot be delivered. Reason: Email flagged as Spam.
policy dot | 554 5.7.7 Email policy violation detected
`,
  ),
  ...replies(
    { provider: 'Proton', source: 'https://smtp.codes/protonmail', mxHost: 'mail.protonmail.ch' },
    `
spam dot | 550 5.7.1 Rejected by spam filter
invalid_recipient rcpt | 550 5.1.1 <user@proton.me>: Recipient address rejected: Address does not exist
`,
  ),
  ...replies(
    {
      provider: 'ImprovMX',
      source: 'https://improvmx.com/guides/improvmx-error-codes/',
      mxHost: 'mx1.improvmx.com',
    },
    `
greylisting rcpt | 450 4.2.1 Please try again later. (#id-5.9.4)
spam dot | 550 5.7.1 Message considered as SPAM
routing rcpt | 550 5.1.3 Relay not permitted. (#id-5.9.2)
`,
  ),
  ...replies(
    {
      provider: 'Cloudflare',
      source: 'https://developers.cloudflare.com/email-routing/postmaster/',
      mxHost: 'route1.mx.cloudflare.net',
    },
    `
reputation connect | 554 192.0.2.25 found on one or more DNSBLs (abusixip). Refer to https://developers.cloudflare.com/email-routing/postmaster/#spam-and-abusive-traffic/
remote_system dot | 421 4.3.0 Upstream error, please check https://developers.cloudflare.com/email-routing/postmaster for possible reasons why
`,
  ),
  ...replies(
    { provider: 'Titan', source: 'https://smtp.codes/titan', mxHost: 'mx1.titan.email' },
    `
reputation rcpt | 421 4.7.0 : Sender IP rejected: sending IP has insufficient reputation.  Please retry later.
`,
  ),
  ...replies(
    { provider: 'Hostpoint', source: 'https://smtp.codes/hostpoint', mxHost: 'mx1.mail.hostpoint.ch' },
    `
auth mail | 550-SPF-check failed: ¶ 550 example.com doesn't allow sending mails from 192.0.2.25
auth dot | 550 Message from example.com failed sender's DMARC policy, REJECT
invalid_recipient rcpt | 550 no such address here
routing rcpt | 550 no such address here (MX do not point to us)
`,
  ),
  ...replies(
    { provider: 'MXroute', source: 'https://smtp.codes/mxroute', mxHost: 'shadow.mxrouting.net' },
    `
reputation rcpt | 550 Unauthenticated mail not allowed from this range
invalid_recipient rcpt | 550 No such recipient here
relay_auth rcpt | 550 Authentication Required
sender rcpt | 550 Sender verify failed
`,
  ),
  ...replies(
    {
      provider: 'Infomaniak',
      source: 'https://smtp.codes/infomaniak',
      mxHost: 'mta-gw.infomaniak.ch',
    },
    `
auth dot | 550 5.7.1 rejected by DMARC policy for example.com
`,
  ),
  ...replies(
    {
      provider: 'Purelymail',
      source: 'https://github.com/ (wiki of a Postfix relay, wporter.org)',
      mxHost: 'mailserver.purelymail.com',
    },
    `
greylisting rcpt | 451 4.7.1 Try again later (greylist)
`,
  ),
]

/** Proofpoint, Mimecast, Barracuda and the like; GoDaddy, Rackspace, Zoho and the like. */
export const filtersAndHosts: readonly LabelledReply[] = [...filters, ...hosts]
