/** Replies of the large mailbox providers. */
import { type LabelledReply, replies } from './corpus.ts'

const google = [
  ...replies(
    {
      provider: 'Google',
      source: 'https://support.google.com/a/answer/3726730',
      mxHost: 'aspmx.l.google.com',
    },
    `
remote_system connect | 421 4.3.0 Temporary System Problem. Try again later. For more information, go to https://support.google.com/a/answer/3221692 - gsmtp
remote_system connect | 421 4.4.5 Server busy, try again later. - gsmtp
reputation | 421 4.7.0 IP not in whitelist for RCPT domain, closing connection. - gsmtp
rate | 421-4.7.0 [192.0.2.25 15] Our system has detected an unusual rate of ¶ 421-4.7.0 unsolicited mail originating from your IP address. To protect our ¶ 421-4.7.0 users from spam, mail sent from your IP address has been temporarily ¶ 421 4.7.0 blocked. Review our Bulk Email Senders Guidelines. - gsmtp
tls | 421 4.7.0 TLS required for RCPT domain, closing connection. - gsmtp
rate ehlo | 421 4.7.0 Try again later, closing connection. (EHLO) a640c23a62f3a - gsmtp
timeout | 421 4.7.0 Connection expired, try reconnecting. - gsmtp
reputation | 421-4.7.23 The sending IP address for this message doesn't have a PTR record, or ¶ 421-4.7.23 the PTR record's forward DNS entry doesn't match the sending IP address. To protect ¶ 421 4.7.23 users from spam, your email has been temporarily rate limited. - gsmtp
auth dot | 451-4.7.24 The SPF record of the sending domain has one or more suspicious entries. ¶ 451 4.7.24 To protect our users from spam, mail sent from your IP address has been temporarily rate limited. - gsmtp
auth dot | 421-4.7.26 This mail has been rate limited because it is unauthenticated. Gmail ¶ 421-4.7.26 requires all senders to authenticate with either SPF or DKIM. ¶ 421-4.7.26 Authentication results: DKIM = did not pass ¶ 421 4.7.26 SPF [example.com] with ip: [192.0.2.25] = did not pass - gsmtp
auth dot | 451-4.7.26 Unauthenticated email from example.com is not accepted due to domain's ¶ 451-4.7.26 DMARC policy, but temporary DNS failures prevent authentication. ¶ 451 4.7.26 Please contact the administrator of example.com domain if this was a legitimate mail. - gsmtp
auth dot | 421-4.7.27 Your email has been rate limited because SPF authentication didn't pass ¶ 421 4.7.27 for this message. Gmail requires all bulk email senders to authenticate their email with SPF. - gsmtp
rate dot | 421-4.7.28 Gmail has detected an unusual rate of mail originating from your SPF domain [example.com]. To protect our users from spam, mail ¶ 421 4.7.28 has been temporarily rate limited. For more information, go to https://support.google.com/mail/?p=UnsolicitedRateLimitError - gsmtp
rate dot | 421 4.7.28 Gmail has detected this message exceeded its quota for sending messages with the same Message-ID:. To best protect our users, the message has been temporarily rejected. - gsmtp
tls dot | 421 4.7.29 Your email has been rate limited because this message wasn't sent over a TLS connection. Gmail requires all bulk email senders to use TLS/SSL for SMTP connections. - gsmtp
auth dot | 421-4.7.30 Your email has been rate limited because DKIM authentication didn't pass for this message. ¶ 421 4.7.30 Gmail requires all email bulk senders to authenticate their email with DKIM. - gsmtp
auth dot | 421-4.7.32 Your email has been rate limited because the From: header (RFC5322) in this message isn't ¶ 421 4.7.32 aligned with either the authenticated SPF or DKIM organizational domain. - gsmtp
mailbox rcpt | 450-4.2.1 The user you are trying to contact is receiving mail too quickly. ¶ 450-4.2.1 Please resend your message at a later time. If the user is able to ¶ 450-4.2.1 receive mail at that time, your message will be delivered. For more ¶ 450-4.2.1 information, please visit ¶ 450 4.2.1 https://support.google.com/mail/?p=ReceivingRate - gsmtp
rate rcpt | 450 4.2.1 Peak SMTP relay limit exceeded for customer. This is a temporary error. For more information on SMTP relay limits, please contact your administrator - gsmtp
remote_system dot | 451 4.3.0 Mail server temporarily rejected message. k18si2144516qae.47 - gsmtp
protocol rcpt | 451 4.3.0 Multiple destination domains per transaction is unsupported. Please try again. - gsmtp
timeout | 451 4.4.2 Timeout - closing connection. d2si7564384qcg.8 - gsmtp
protocol | 451 4.5.0 SMTP protocol violation, visit https://support.google.com/mail/?p=smtp-protocol-violation - gsmtp
mailbox_full rcpt | 452-4.2.2 The recipient's inbox is out of storage space. Please direct the ¶ 452-4.2.2 recipient to ¶ 452 4.2.2 https://support.google.com/mail/?p=OverQuotaTemp 5614622812f47 - gsmtp
rate rcpt | 452 4.5.3 Domain policy size per transaction exceeded, please try this recipient in a separate transaction. - gsmtp
rate rcpt | 452 4.5.3 Your message has too many recipients. For more information regarding Google's sending limits, visit https://support.google.com/mail/?p=TooManyRecipientsError - gsmtp
relay_auth | 454 4.7.0 Cannot authenticate due to temporary system problem. Try again later. - gsmtp
protocol ehlo | 501-5.5.4 Empty HELO/EHLO argument not allowed, closing connection. ¶ 501 5.5.4 https://support.google.com/mail/?p=helo g3-20020a - gsmtp
protocol | 502 5.5.1 Too many unrecognized commands, goodbye. - gsmtp
protocol | 503 5.5.1 Bad sequence of commands. For more information, go to About SMTP error messages - gsmtp
tls deferred mail | 530 5.7.0 Must issue a STARTTLS command first. f4sm3791303yhn.69
invalid_recipient rcpt | 550-5.1.1 The email account that you tried to reach does not exist. Please try ¶ 550-5.1.1 double-checking the recipient's email address for typos or ¶ 550-5.1.1 unnecessary spaces. For more information, go to ¶ 550 5.1.1  https://support.google.com/mail/?p=NoSuchUser ffacd0b85a97d - gsmtp
mailbox_disabled rcpt | 550-5.2.1 The email account that you tried to reach is inactive. For more ¶ 550-5.2.1 information, go to ¶ 550 5.2.1 https://support.google.com/mail/?p=DisabledUser 98e67ed59e1d1 - gsmtp
mailbox rcpt | 550-5.2.1 The user you are trying to contact is receiving mail at a rate that ¶ 550-5.2.1 prevents additional messages from being delivered. For more ¶ 550-5.2.1 information, please visit ¶ 550 5.2.1 https://support.google.com/mail/?p=ReceivingRatePerm - gsmtp
rate dot | 550 5.4.5 Daily SMTP relay limit exceeded for user. For more information on SMTP relay sending limits please contact your administrator - gsmtp
rate dot | 550 5.4.5 Daily user sending limit exceeded. For more information on Gmail sending limits go to https://support.google.com/a/answer/166852 - gsmtp
routing rcpt | 550 5.7.0 Mail relay denied [192.0.2.25]. Invalid credentials for relay for one of the domains in: example.com (as obtained from HELO and MAIL FROM). - gsmtp
content dot | 550-5.7.1 [192.0.2.25] Messages missing a valid Message-ID: header are not ¶ 550 5.7.1 accepted. For more information, go to https://support.google.com/mail/?p=RfcMessageNonCompliant - gsmtp
reputation dot | 550-5.7.1 [192.0.2.25] The IP you're using to send mail is not authorized to ¶ 550-5.7.1 send email directly to our servers. Please use the SMTP relay at your ¶ 550-5.7.1 service provider instead. Learn more at ¶ 550 5.7.1 https://support.google.com/mail/?p=NotAuthorizedError - gsmtp
content dot | 550 5.7.1 This message is not RFC 5322 compliant because it has duplicate headers. To reduce the amount of spam sent to Gmail, this message has been blocked. - gsmtp
policy dot | 550-5.7.1 The user or domain that you are sending to (or from) has a policy that ¶ 550-5.7.1 prohibited the mail that you sent. Please contact your domain ¶ 550-5.7.1 administrator for further details. For more information, please visit ¶ 550 5.7.1 https://support.google.com/a/answer/172179 - gsmtp
policy dot | 550 5.7.1 This message violates example.com email policy. - gcdp a1si123456 - gsmtp
reputation dot | 550-5.7.1 [2001:db8::25] Our system has detected that this message does not meet IPv6 ¶ 550-5.7.1 sending guidelines regarding PTR records and authentication. Please ¶ 550-5.7.1 review ¶ 550 5.7.1 https://support.google.com/mail/?p=IPv6AuthError - gsmtp
content dot | 550 5.7.1 Encoded-word syntax is not permitted in message header From. To reduce the amount of spam sent to Gmail, this message has been blocked. - gsmtp
reputation dot | 550-5.7.25 [192.0.2.25] The IP address sending this message does not have a PTR record ¶ 550-5.7.25 setup, or the corresponding forward DNS entry does not match the sending ¶ 550 5.7.25 IP. As a policy, Gmail does not accept messages from IPs with missing PTR records. - gsmtp
auth dot | 550-5.7.26 This message fails to pass SPF checks for an SPF record with a hard fail ¶ 550-5.7.26 policy (-all). To best protect our users from spam and phishing, the ¶ 550 5.7.26 message has been blocked. Please visit https://support.google.com/mail/answer/81126 - gsmtp
auth dot | 550-5.7.26 Unauthenticated email from example.com is not accepted due to domain's ¶ 550-5.7.26 DMARC policy. Please contact the administrator of example.com domain if ¶ 550-5.7.26 this was a legitimate mail. To learn about the DMARC initiative, go to ¶ 550 5.7.26  https://support.google.com/mail/?p=DmarcRejection - gsmtp
rate dot | 550 5.7.28 There is an unusual rate of unsolicited mail originating from your IP address. To protect our users from spam, mail sent from your IP address has been blocked. - gsmtp
too_large mail | 552-5.3.4 Your message exceeded Google's message size limits. To view our ¶ 552-5.3.4 message size guidelines, go to ¶ 552 5.3.4 https://support.google.com/mail/?p=MaxSizeError - gsmtp
too_large dot | 552 5.3.4 The number of attachments (1042) exceeds Google's limit of 500 attachments. - gsmtp
content dot | 552-5.7.0 This message was blocked because its content presents a potential ¶ 552-5.7.0 security issue. To review our message content and attachment content ¶ 552 5.7.0 guidelines, go to https://support.google.com/mail/?p=BlockedMessage - gsmtp
sender mail | 553-5.1.7 The sender address <root@localhost+x> is not a valid RFC-5321 ¶ 553 5.1.7 address. For more information, go to https://support.google.com/a/answer/3221692 - gsmtp
routing dot | 554 5.4.6 Message exceeded 50 hops, this may indicate a mail loop. - gsmtp
content dot | 554 5.6.0 Mail message is malformed. Not accepted. - gsmtp
protocol | 555 5.5.2 Syntax error, goodbye. r9si112233 - gsmtp
`,
  ),
  ...replies(
    { provider: 'Google', source: 'https://smtp.codes/google', mxHost: 'gmail-smtp-in.l.google.com' },
    `
reputation dot | 421-4.7.0 [192.0.2.25] Our system has detected that this message is suspicious due to the very low reputation of the sending domain. ¶ 421 4.7.0 To best protect our users from spam, the message has been blocked. Please visit https://support.google.com/mail/answer/188131 for more information. - gsmtp
spam dot | 421-4.7.0 [192.0.2.25] Our system has detected that this message is suspicious due to the nature of the content and/or the links within. ¶ 421 4.7.0 To best protect our users from spam, the message has been blocked. - gsmtp
reputation dot | 550-5.7.1 [192.0.2.25] Our system has detected that this message is likely suspicious due to the very low reputation of the sending domain. ¶ 550 5.7.1 To best protect our users from spam, the message has been blocked. - gsmtp
spam dot | 550-5.7.1 [192.0.2.25      12] Our system has detected that this message is ¶ 550-5.7.1 likely unsolicited mail. To reduce the amount of spam sent to Gmail, ¶ 550-5.7.1 this message has been blocked. Please visit ¶ 550 5.7.1  https://support.google.com/mail/answer/188131 for more information. r11si2166wmb.87 - gsmtp
auth dot | 550-5.7.26 Your email has been blocked because the sender is unauthenticated. Gmail ¶ 550-5.7.26 requires all senders to authenticate with either SPF or DKIM. ¶ 550-5.7.26  Authentication results: ¶ 550-5.7.26  DKIM = did not pass ¶ 550 5.7.26  SPF [example.com] with ip: [192.0.2.25] = did not pass - gsmtp
content dot | 550-5.7.1 [192.0.2.25      14] Messages missing a valid address in From: ¶ 550 5.7.1 header, or having no From: header, are not accepted. - gsmtp
mailbox_full rcpt | 552-5.2.2 The email account that you tried to reach is over quota. Please direct ¶ 552-5.2.2 the recipient to ¶ 552 5.2.2 https://support.google.com/mail/?p=OverQuotaPerm l64si6959608qkl.189 - gsmtp
content dot | 552-5.7.0 Our system detected an illegal attachment on your message. Please ¶ 552 5.7.0 visit http://mail.google.com/support/bin/answer.py?answer=6590 to review our attachment guidelines. - gsmtp
invalid_recipient rcpt | 553-5.1.2 The recipient address <.@gmail.com> is not a valid RFC-5321 ¶ 553 5.1.2 address. - gsmtp
`,
  ),
]

const microsoft = [
  ...replies(
    {
      provider: 'Microsoft',
      source: 'https://smtp.codes/outlook and https://smtp.codes/exchangeonline',
      mxHost: 'example-com.mail.protection.outlook.com',
    },
    `
remote_system connect | 421 4.3.2 Service not available [DB5EUR01FT012.eop-EUR01.prod.protection.outlook.com]
rate connect | 421 4.3.2 The maximum number of concurrent connections per resource forest has exceeded a limit, closing transmission channel. example.com. PRX8 [example.com]
mailbox rcpt | 450 4.7.3 Organization queue quota exceeded. [AM5EUR02FT049.eop-EUR02.prod.protection.outlook.com]
remote_system dot | 451 4.3.2 Temporary server error. Please try again later ATTR17 [HE1EUR01FT003.eop-EUR01.prod.protection.outlook.com]
remote_system dot | 451 4.4.0 Message failed to be replicated: No healthy secondary server available to accept replica at this time. [VE1EUR01FT021.prod.outlook.com]
remote_system rcpt | 451 4.7.0 Temporary server error. Please try again later. PRX4 NextHop: [DM6NAM10FT011.eop-nam10.prod.protection.outlook.com]
rate mail | 451 4.7.500 Server busy. Please try again later from [192.0.2.25]. (AS77712344) [CO1NAM11FT066.eop-nam11.prod.protection.outlook.com]
rate rcpt | 451 4.7.650 The mail server [192.0.2.25] has been temporarily rate limited due to IP reputation. For e-mail delivery information, see https://postmaster.live.com (S775) [VI1EUR06FT004.eop-eur06.prod.protection.outlook.com]
rate rcpt | 451 4.7.651 The mail server [192.0.2.25] has been temporarily rate limited due to IP reputation. For e-mail delivery information, see https://postmaster.live.com (S3114) [DB3PEPF0000885F.eurprd02.prod.outlook.com 2023-10-28T12:19:31.847Z 08DBD70830F39917]
remote_system dot | 452 4.3.1 Insufficient system resources (TSTE) [AM5EUR03FT007.eop-EUR03.prod.protection.outlook.com]
invalid_recipient rcpt | 501 5.1.3 Invalid address [AM7EUR03FT055.eop-EUR03.prod.protection.outlook.com]
invalid_recipient rcpt | 550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [BN1NAM02FT022.eop-nam02.prod.protection.outlook.com]
invalid_recipient rcpt | 550 5.4.1 All recipient addresses rejected : Access denied [CY1NAM02FT011.eop-nam02.prod.protection.outlook.com]
invalid_recipient rcpt | 550 5.5.0 Requested action not taken: mailbox unavailable. [BN3NAM04FT003.eop-NAM04.prod.protection.outlook.com]
reputation mail | 550 5.7.1 Service unavailable, MailFrom domain is listed in Spamhaus. To request removal from this list see https://www.spamhaus.org/query/lookup/ (S8002) [CO1NAM04FT037.eop-NAM04.prod.protection.outlook.com]
reputation mail | 550 5.7.1 Unfortunately, messages from [192.0.2.25] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3150). You can also refer your provider to http://mail.live.com/mail/troubleshooting.aspx#errors. [VI1EUR04FT055.eop-eur04.prod.protection.outlook.com]
auth dot | 550 5.7.515 Access denied, sending domain example.com does not meet the required authentication level. [DS2PEPF00003442.namprd04.prod.outlook.com]
reputation rcpt | 550 5.7.1 Service unavailable, Client host [192.0.2.25] blocked using Spamhaus. To request removal from this list see https://www.spamhaus.org/query/ip/192.0.2.25 (AS16012611) [AM5EUR03FT039.eop-EUR03.prod.protection.outlook.com]
reputation mail | 550 5.7.1 Service unavailable, Helo domain is listed in Spamhaus. To request removal from this list see https://www.spamhaus.org/query/lookup/ (S8001) [BL2NAM02FT049.eop-nam02.prod.protection.outlook.com]
reputation rcpt | 550 5.7.606 Access denied, banned sending IP [192.0.2.25]. To request removal from this list please visit https://sender.office.com/ and follow the directions. For more information please go to  http://go.microsoft.com/fwlink/?LinkID=526655 AS(1430) [VE1EUR02FT018.eop-EUR02.prod.protection.outlook.com]
policy dot | 550 5.7.1 TRANSPORT.RULES.RejectMessage; the message was rejected by organization policy
mailbox deferred dot | 554 5.2.122 The recipient has exceeded their limit for the number of messages they can receive per hour. For more information go to http://go.microsoft.com/fwlink/?LinkId=526653. [AM0PR04MB1234.eurprd04.prod.outlook.com]
rate deferred dot | 554 5.2.121 The sender has exceeded the limit for the number of messages they can send to this recipient per hour. For more information go to http://go.microsoft.com/fwlink/?LinkId=526653. [DB9PR05MB1234.eurprd05.prod.outlook.com]
`,
  ),
  ...replies(
    {
      provider: 'Microsoft',
      source:
        'https://learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online',
      mxHost: 'contoso-com.mail.protection.outlook.com',
    },
    `
mailbox rcpt | 432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded
auth dot | 450 4.7.26 Access denied, a message sent over IPv6 [2001:db8::25] must pass either SPF or DKIM validation, this message is not signed
reputation rcpt | 451 4.7.550 Access denied, please try again later
reputation rcpt | 451 4.7.850 Access denied, please try again later
rate rcpt | 452 4.5.3 Too many recipients (AS780090) [BN8NAM04FT027.eop-NAM04.prod.protection.outlook.com]
content dot | 550 5.6.11 SMTPSEND.BareLinefeedsAreIllegal; message contains bare linefeeds, which cannot be sent via DATA and receiving system does not support BDAT
invalid_recipient rcpt | 550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient user@contoso.com not found by SMTP address lookup
mailbox_full dot | 554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException; Failed to process message due to a permanent exception with message Cannot open mailbox
policy dot | 550 5.0.350 x-dg-ref header is too long
sender mail | 550 5.1.8 Access denied, bad outbound sender
rate dot | 550 5.1.90 Your message can't be sent because you've reached your daily limit for message recipients
rate dot | 550 5.2.2 Submission quota exceeded
mailbox_disabled dot | 550 5.2.1 Mailbox cannot be accessed
routing dot | 554 5.4.14 Hop count exceeded - possible mail loop ATTR34 [AM3PAP54FT009.eop-EUR02.prod.protection.outlook.com]
auth dot | 550 5.7.23 The message was rejected because of Sender Policy Framework violation -> 550 5.7.1 SPF check failed
reputation mail | 550 5.7.25 Access denied, the sending IPv6 address [2001:db8::25] must have a reverse DNS record
reputation mail | 550 5.7.501 Access denied, spam abuse detected from IP range.
reputation ehlo | 550 5.7.506 Access denied, bad HELO
policy rcpt | 550 5.7.507 Access denied, rejected by recipient
rate mail | 550 5.7.508 Access denied, [2001:db8::25] has exceeded permitted limits within 2001:db8::/64 range
auth dot | 550 5.7.509 Access denied, sending domain contoso.com does not pass DMARC verification and has a DMARC policy of reject
routing rcpt | 550 5.7.510 Access denied, contoso.com does not accept email over IPv6
reputation rcpt | 550 5.7.511 Access denied, banned sender[192.0.2.25]. To request removal from this list please forward this message to delist@microsoft.com.
content dot | 550 5.7.512 Access denied, message must be RFC 5322 section 3.6.2 compliant
reputation rcpt | 550 5.7.513 Service unavailable, Client host [192.0.2.25] blocked by contoso.com using Customer Block list (AS16012607)
policy rcpt | 550 5.7.12 Sender was not authenticated by organization
policy dot | 550 5.7.124 RESOLVER.RST.RestrictedToGroupPermission; not authorized; sender not in allowed-senders list
policy dot | 550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required; Delivery restriction check failed because the sender was not authenticated when sending to this group
policy dot | 550 5.7.136 RESOLVER.RST.SenderNotAuthenticatedForMailUser; sender was not authenticated
mailbox_disabled rcpt | 550 5.7.505 Access denied, banned recipient
rate rcpt | 550 5.7.705 Access denied, tenant has exceeded threshold
reputation rcpt | 550 5.7.708 Access denied, traffic not accepted from this IP
routing rcpt | 550 5.7.64 TenantAttribution; Relay Access Denied SMTP
relay_auth mail | 550 5.7.57 Client not authenticated to send anonymous mail during MAIL FROM
`,
  ),
  ...replies(
    {
      provider: 'Exchange Server',
      source:
        'https://learn.microsoft.com/exchange/mail-flow/non-delivery-reports-and-bounce-messages/non-delivery-reports-and-bounce-messages',
    },
    `
remote_system | 421 4.3.2 Service not active
rate mail | 421 4.4.2 Message submission rate for this client has exceeded the configured limit
connection dot | 421 4.4.2 Connection dropped due to SocketError
remote_system mail | 452 4.3.1 Insufficient system resources
invalid_recipient rcpt | 550 5.1.1 RESOLVER.ADR.ExRecipNotFound; not found
invalid_recipient rcpt | 501 5.1.4 Recipient address reserved by RFC 2606
sender mail | 501 5.1.7 Invalid address
too_large dot | 550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient
remote_system | 500 5.3.3 Unrecognized command, possibly missing the authentication mechanism
too_large mail | 552 5.3.4 Message size exceeds fixed maximum message size
protocol | 503 5.5.2 Send hello first
rate rcpt | 550 5.5.3 Too many recipients
relay_auth mail | 530 5.7.1 Client was not authenticated
routing rcpt | 550 5.7.1 Unable to relay
relay_auth | 454 5.7.3 Cannot achieve Exchange Server authentication
policy dot | 550 5.7.1 RESOLVER.RST.NotAuthorized; not authorized
spam dot | 550 5.2.1 Content Filter agent quarantined this message
spam dot | 550 5.7.1 Message rejected as spam by Content Filtering.
policy dot | 550 5.7.1 Client does not have permissions to send as this sender
policy dot | 550 5.7.900 Delivery not authorized, message refused
`,
  ),
]

const yahoo = replies(
  {
    provider: 'Yahoo',
    source: 'https://senders.yahooinc.com/smtp-error-codes',
    mxHost: 'mta5.am0.yahoodns.net',
  },
  `
rate mail | 421 4.7.0 [TSS04] Messages from 192.0.2.25 temporarily deferred due to unexpected volume or user complaints - 4.16.55.1; see https://postmaster.yahooinc.com/error-codes
rate mail | 421 4.7.0 [TS01] Messages from 192.0.2.25 temporarily deferred due to user complaints - 4.16.55.1; see https://help.yahoo.com/kb/postmaster/SLN3434.html
rate mail | 421 4.7.1 [TS03] All messages from 192.0.2.25 will be permanently deferred; Retrying will NOT succeed. See http://postmaster.yahoo.com/421-ts03.html
reputation mail | 553 5.7.2 [TSS09] All messages from 192.0.2.25 will be permanently deferred; Retrying will NOT succeed. See https://postmaster.yahooinc.com/error-codes
reputation mail | 553 5.7.2 [TSS11] All messages from 198.51.100.7 will be permanently deferred; Retrying will NOT succeed. See https://postmaster.yahooinc.com/error-codes
rate | 421 Max message per connection reached, closing transmission channel
remote_system connect | 421 Service not available, closing transmission channel
mailbox rcpt | 450 User is receiving mail too quickly
sender mail | 451 Message temporarily deferred due to unresolvable RFC.5321 from domain. See https://senders.yahooinc.com/error-codes#unresolvable-from-domain
remote_system dot | 451 Message temporarily deferred - [160]
remote_system connect | 451 mta1012.mail.gq1.yahoo.com Resources temporarily unavailable. Please try again later [#4.16.1].
remote_system mail | 451 4.3.2 Internal error reading data
routing rcpt | 452 temporary domain failure <user@example.com>
rate connect | 421 4.7.0 [GL01] Message from (192.0.2.25) temporarily deferred - 4.16.50. Please refer to http://postmaster.yahoo.com/errors/postmaster-21.html
routing rcpt | 550 relaying denied for <user@example.com>
auth dot | 550 5.7.9 This mail has been blocked because the sender is unauthenticated. Yahoo requires all senders to authenticate with either SPF or DKIM.
auth dot | 554 5.7.9 Message not accepted for policy reasons. See https://postmaster.yahooinc.com/error-codes
spam dot | 554 Message not allowed - [PH01] Email not accepted for policy reasons. Please visit https://postmaster.yahooinc.com/error-codes [120]
content dot | 554 Message not allowed - Headers are not RFC compliant[291]
policy dot | 554 Message not allowed - [299]
invalid_recipient dot | 554 delivery error: dd This user doesn't have a yahoo.com account (user@yahoo.com) [-9] - mta4081.mail.gq1.yahoo.com
mailbox_disabled dot | 554 delivery error: dd Sorry, your message to user@yahoo.com cannot be delivered. This mailbox is disabled (554.30). - mta4207.mail.bf1.yahoo.com
mailbox_disabled dot | 554 delivery error: dd Sorry your message to user@yahoo.com cannot be delivered. This account has been disabled or discontinued [#102]. - mta1229.mail.mud.yahoo.com
mailbox_disabled dot | 554 delivery error: dd user@yahoo.com is no longer valid. [-20] - mta4316.mail.ne1.yahoo.com
remote_system dot | 554 delivery error: dd Requested mail action aborted - mta4129.mail.bf1.yahoo.com
invalid_recipient dot | 552 1 Requested mail action aborted, mailbox not found
reputation connect | 553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.25, because the ip is in Spamhaus's list; see http://postmaster.yahoo.com/550-bl23.html
reputation connect | 553 Mail from 192.0.2.25 not allowed - 5.7.1 [BL23] Connections not accepted from IP addresses on Spamhaus XBL; see http://postmaster.yahoo.com/errors/550-bl23.html [550]
reputation connect | 421 4.7.1 : (DYN:T1) http://postmaster.info.aol.com/errors/421dynt1.html
reputation connect | 554- (RTR:BL) ¶ 554- http://postmaster.info.aol.com/errors/554rtrbl.html ¶ 554  Connecting IP: 192.0.2.25
reputation connect | 550-AOL no longer accepts connections from dynamically assigned ¶ 550-IP addresses to our relay servers.  Please contact your ISP ¶ 550 to have your mail redirected through your ISP's SMTP servers.
`,
)

const apple = replies(
  { provider: 'Apple', source: 'https://smtp.codes/icloud', mxHost: 'mx01.mail.icloud.com' },
  `
rate | 421 4.7.0 me.com Error: too many errors
mailbox rcpt | 421 4.7.1 Messages to user@icloud.com deferred due to excessive volume. Try again later - https://support.apple.com/en-us/HT204137
remote_system | 451 4.7.1 Service unavailable - try again later
sender rcpt | 450 4.1.8 <news@example.com>: Sender address rejected: Domain not found
invalid_recipient rcpt | 550 5.1.1 <user@icloud.com>: user does not exist
invalid_recipient rcpt | 550 5.1.1 unknown or illegal alias: user@icloud.com
mailbox_disabled rcpt | 550 5.1.1 <user@icloud.com>: inactive email address
mailbox_disabled rcpt | 550 5.1.6 recipient no longer on server: user@icloud.com
mailbox_full rcpt | 552 5.2.2 <user@icloud.com>: user is over quota
reputation connect | 550 5.7.0 Blocked - see https://support.proofpoint.com/dnsbl-lookup.cgi?ip=192.0.2.25
spam dot | 554 5.7.1 [CS01] Message rejected due to local policy. Please visit https://support.apple.com/en-us/HT204137
spam dot | 550 5.7.1 [HM08] Message rejected due to local policy. Please visit https://support.apple.com/en-us/HT204137
auth dot | 554 5.7.1 [HME1] This message was blocked for failing both SPF and DKIM authentication checks. See https://support.apple.com/en-us/HT204137 for mailing best practices
auth dot | 554 5.7.1 Your message was rejected due to example.com's DMARC policy. See https://support.apple.com/en-us/HT204137 for info
spam dot | 550 5.7.1 Your email was rejected due to having a domain present in the Spamhaus DBL -- see https://www.spamhaus.org/dbl/
reputation dot | 550 5.7.1 Mail from IP 192.0.2.25 was rejected due to listing in Spamhaus SBL. For details please see http://www.spamhaus.org/query/bl?ip=192.0.2.25
routing rcpt | 554 5.7.1 <user@icloud.com>: Relay access denied
reputation connect | 554 st43p00im-smtpin001.me.com ESMTP not accepting connections
`,
)

/** Google, Microsoft, Yahoo and AOL, Apple. */
export const mailboxProviders: readonly LabelledReply[] = [...google, ...microsoft, ...yahoo, ...apple]
