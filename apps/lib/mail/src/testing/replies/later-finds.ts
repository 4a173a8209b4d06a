/**
 * Replies that were gathered and labelled when the rules were done: a harder check, of servers that few know and of
 * wording that is rare. The rules read 41 of these 65 rightly at first.
 */
import { type LabelledReply, replies } from './corpus.ts'

export const laterFinds: readonly LabelledReply[] = [
  ...replies(
    { provider: 'Barricade MX', source: 'http://www.snertsoft.com/smtp/smtpf/reply.html' },
    `
reputation connect | 550 5.7.1 host mail.example.com [192.0.2.25] black listed #120
remote_system connect | 450 4.7.1 host mail.example.com [192.0.2.25] temporary failure #120
reputation connect | 550 5.7.1 host mail.example.com [192.0.2.25] from unknown TLD #122
policy mail | 550 5.7.1 host mail.example.com [192.0.2.25] sender <news@example.com> black listed #125
policy mail | 550 5.7.1 sender <news@example.com> black listed #127
sender mail | 550 5.7.1 sender <news@example.com> from RFC2606 reserved domain #128
sender mail | 550 5.7.1 sender <news@example.com> from unknown TLD #129
routing rcpt | 550 5.7.1 routed address relaying denied #131
routing rcpt | 550 5.7.1 UUCP addressing denied #132
policy rcpt | 550 5.7.1 sender <news@example.com> recipient <user@example.com> black listed #137
policy rcpt | 550 5.7.1 recipient <user@example.com> black listed #139
`,
  ),
  ...replies(
    { provider: 'Momentum', source: 'SparkPost/developers.sparkpost.com web-ref/responses-by-message.md' },
    `
content dot | 550 5.6.0 Body line too long (see RFC2822 section 3.5)
protocol data | 503 5.5.1 DATA without MAIL FROM
content dot | 550 5.6.0 Header not terminated by CR LF (see RFC2822 section 2.2)
content dot | 550 5.6.0 Invalid header found (see RFC2822 section 3.6)
content dot | 550 5.6.0 Lone CR or LF in body (see RFC2822 section 2.3)
protocol mail | 501 5.5.1 MAIL FROM already established
protocol mail | 501 5.5.2 MAIL FROM syntax error
content dot | 550 5.6.0 Missing required RFC2822 Date field (see RFC2822 section 3.6)
protocol rcpt | 501 5.5.2 RCPT TO syntax error
protocol mail | 550 5.5.1 RFC2821 HELO/EHLO needed
content dot | 550 5.6.0 Required headers not found (see RFC2822 section 3.6)
remote_system connect | 421 4.4.5 Service unavailable
rate rcpt | 452 4.5.3 Service unavailable, batch limit reached
rate connect | 421 4.4.5 Service unavailable, concurrency limit reached
`,
  ),
  ...replies(
    { provider: 'various', source: 'https://github.com/ActiveCampaign/smtp-field-manual/issues/11' },
    `
reputation rcpt | 550 ip in prison
policy dot | 554 5.7.1 The recipient definitively does not want your mail. It will not be delivered but analyzed again.  We may feed it to a spam blacklist.
mailbox_disabled rcpt | 550 5.7.1 <user@example.com>: Recipient address rejected:  Inactive MailBox, not poped for more than 6 months
policy mail | 554 5.7.1 <news@example.com>: Sender address rejected: Dumb.
`,
  ),
  ...replies(
    {
      provider: 'various',
      source:
        'sisimai/p5-sisimai issues 66, 156 and 387; hippich/PHPMailer-BMH issue 1; smtp-field-manual pull request 34',
    },
    `
invalid_recipient rcpt | 550 Mailbox does not exist!
content dot | 554 DSN is not RFC 3464 compliant. MSGID: (rB4TeBIUGDyQyRNGoSK0-1): The DSN MUST be addressed (in both the message header and the transport envelope) to the return address from the transport envelope which accompanied the original message for which the DSN was generated. https://tools.ietf.org/html/rfc3464
invalid_recipient dot | 554 delivery error: dd Not a valid recipient - atlas318.free.mail.gq1.yahoo.com
content dot | 554 No Resent-From field given
invalid_recipient rcpt | 550 <user@example.com>: Destinatario desconocido o mailbox lleno
invalid_recipient rcpt | 550 5.1.1 <user@example.com>: Recipient address rejected: example.com
invalid_recipient dot | 554 delivery error: dd user@example.com is no longer valid. [-20] - mta1005.mail.ukl.yahoo.com
`,
  ),
  ...replies(
    { provider: 'various', source: 'http://helpdesk.umd.edu/documents/3/3025/' },
    `
reputation mail | 550 Sorry, no access for this ip
policy mail | 550 Sorry, no access for this domain
policy mail | 550 Sorry, no access for this user
remote_system rcpt | 550 /home/user/.forward: line 1: user... Can't create output: Permission denied
content dot | 553 user address required
sender dot | 451 From:domain must resolve
routing rcpt | 553 <user@example.com>... unauthorized relay traffic prohibited
routing dot | 554 sendall: too many hops 19 (17 max)
content dot | 553 Header Error
`,
  ),
  ...replies(
    {
      provider: 'various',
      source:
        'replies quoted in questions, issues and pages of vendors (Plesk, LogSat, Roundcube, MailKit, ZoneMTA)',
    },
    `
mailbox deferred rcpt | 550-Requested action not taken: mailbox unavailable ¶ 550 Failure sending mail. Try again later
invalid_recipient rcpt | 550 5.1.6 recipient no longer on server
reputation rcpt | 550 5.7.1 <webmail18.example.net[192.0.2.25]>: Client host rejected: Blacklisted user: news@example.com
content dot | 554 Format restriction violation. Email Session ID: {4DA765B1-6-6565EC3F-FFFF}
policy mail | 550 Command Rejected
policy dot | 550 message rejected
reputation connect | 554 5.7.1 You are not allowed to connect.
reputation connect | 554 example.com example.com 192.0.2.25 found on one or more DNSBLs, see http://postmaster.comcast.net/smtp-error-codes.php#BL000010
reputation connect | 421 Your IP is temporarily blocked, please try again later
rate connect | 421 Too many concurrent connections
mailbox_full rcpt | 452 Over Quota
mailbox_disabled dot | 554 delivery error: Sorry your message to user@example.com cannot be delivered. This account has been disabled or discontinued
routing rcpt | 551 relay not permitted
policy rcpt | 550 5.7.1 Recipient Prohibited (3)
content dot | 550 No Message-ID header, submission is prohibited
policy rcpt | 550 Access denied (user policy, sender mail address)
policy dot | 550-Your message was rejected by this user and was not delivered
reputation connect | 500 5.7.1 Symantec Zodiac
invalid_recipient rcpt | 550 Recipient is not a known mailbox on this canister
reputation rcpt | 550-"JunkMail rejected - mail.example.com [192.0.2.25]:24706 is in an RBL: Blocked - see https://www.spamcop.net/bl.shtml?192.0.2.25"
`,
  ),
]
