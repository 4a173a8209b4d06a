/** Replies of internet access providers and of regional mailbox providers. */
import { type LabelledReply, replies } from './corpus.ts'

const america = [
  ...replies(
    {
      provider: 'Comcast',
      source: 'http://postmaster.comcast.net/mail-error-codes.html and https://smtp.codes/comcast',
      mxHost: 'mx2.comcast.net',
    },
    `
rate connect | 421 resimta-po-13v.sys.comcast.net comcast 192.0.2.25 Too many sessions opened
reputation connect | 421 imta20.emeryville.ca.mail.comcast.net comcast Reverse DNS failure : Try again later
rate | 452 4.1.0 news@example.com Too many recipients received this hour. Please see http://postmaster.comcast.net/smtp-error-codes.php#RL000003
mailbox rcpt | 450 4.2.0 <user@comcast.net> - Recipient temporarily unavailable
invalid_recipient rcpt | 550 5.1.1 Not our Customer
invalid_recipient rcpt | 550 5.1.1 <user@comcast.net> recipient mailbox unallocated
mailbox rcpt | 550 5.2.0 <user@comcast.net> - Recipient unavailable
auth dot | 550 5.2.0 Message rejected due to DMARC. Please see http://postmaster.comcast.net/smtp-error-codes.php#DM000001
mailbox_full rcpt | 552 5.1.1 <user@comcast.net> recipient rejected - extended quota violation
reputation connect | 554 resimta-ch2-10v.sys.comcast.net comcast 192.0.2.25 Comcast block for spam. Please see http://postmaster.comcast.net/smtp-error-codes.php#BL000000
reputation connect | 554 resimta-po-31v.sys.comcast.net comcast 192.0.2.25 Comcast requires that all mail servers must have a PTR record with a valid Reverse DNS entry. Currently your mail server does not fill that requirement. For more information, refer to: http://postmaster.comcast.net/smtp-error-codes.php#554
reputation connect | 550 5.7.1 imta11.westchester.pa.mail.comcast.net comcast 192.0.2.25 See http://www.comcast.net/help/faq/index.jsp?faq=SecurityMail_Policy18627 BL000001
`,
  ),
  ...replies(
    {
      provider: 'Spectrum',
      source:
        'https://www.spectrumbusiness.net/support/internet/understanding-email-error-codes and https://www.spamresource.com/2019/10/charterroadrunner-bounces.html',
      mxHost: 'pkvw-mx.msg.pkvw.co.charter.net',
    },
    `
rate mail | 550 5.1.0 <news@example.com> sender rejected. Please see https://www.spectrum.net/support/internet/understanding-email-error-codes for more information. AUP#I-1310
rate connect | 421 4.7.1 too many concurrent connections from 192.0.2.25 AUP#In-1340
reputation connect | 554 p-impin013.msg.pkvw.co.charter.net cmsmtp 192.0.2.25 blocked. Please see https://www.spectrum.net/support/internet/understanding-email-error-codes for more information. AUP#In-1000
reputation connect | 554 p-impin003.msg.pkvw.co.charter.net cmsmtp 192.0.2.25 blocked by Spamhaus. AUP#I-1230
`,
  ),
  ...replies(
    {
      provider: 'Cox',
      source: 'https://www.cox.com/residential/support/email-error-codes.html',
      mxHost: 'cxr.mx.a.cloudfilter.net',
    },
    `
rate connect | 421 cxr.mx.a.cloudfilter.net cmsmtp 192.0.2.25 Too many sessions from 192.0.2.25, bye. AUP#CXCNCT
reputation connect | 554 cxr.mx.a.cloudfilter.net cmsmtp 192.0.2.25 blocked. Refer to Error Codes section at https://www.cox.com/residential/support/email-error-codes.html for more information. AUP#CXBL
reputation connect | 421 cxr.mx.a.cloudfilter.net cmsmtp DNS check failure - try again later. AUP#CXDNS
reputation connect | 554 eastrmimpi210.cox.net cox 192.0.2.25 rejected - no rDNS
auth dot | 552 5.2.0 <news@example.com> message rejected. Refer to Error Codes section at https://www.cox.com/residential/support/email-error-codes.html for more information. AUP#CXSNDR
`,
  ),
  ...replies(
    { provider: 'AT&T', source: 'https://smtp.codes/att', mxHost: 'al-ip4-mx-vip1.prodigy.net' },
    `
invalid_recipient rcpt | 550 5.2.1 <USER@PRODIGY.NET>... Addressee unknown, relay=[192.0.2.25]
invalid_recipient rcpt | 550 5.2.1 <user@prodigy.net>... blank mailhost - invalid address, relay=[192.0.2.25]
reputation connect | 550 5.7.1 Connections not accepted from servers without a valid sender domain.alph738 Fix reverse DNS for 192.0.2.25
`,
  ),
  ...replies(
    {
      provider: 'Facebook',
      source: 'https://www.facebook.com/postmaster/response_codes',
      mxHost: 'msgin.t.facebook.com',
    },
    `
mailbox_disabled rcpt | 421 4.7.1 RCP-T4 http://postmaster.facebook.com/response_codes?ip=192.0.2.25#unavailable Recipient account is unavailable
reputation connect | 554 5.7.1 POL-P1 http://www.spamhaus.org/query/bl?ip=192.0.2.25
`,
  ),
]

const germany = [
  ...replies(
    {
      provider: 'United Internet',
      source: 'https://postmaster.gmx.net/en/error-messages and https://smtp.codes/unitedinternet',
      mxHost: 'mx00.emig.gmx.net',
    },
    `
reputation connect | 554-gmx.net (mxgmx104) Nemesis ESMTP Service not available ¶ 554-No SMTP service ¶ 554-IP address is block listed. ¶ 554 For explanation visit https://postmaster.gmx.net/en/case?c=r0201&i=ip&v=192.0.2.25&r=1MNcgj-1ue23t3pyV-00S2YR
reputation connect | 554-web.de (mxweb010) Nemesis ESMTP Service not available ¶ 554-No SMTP service ¶ 554-Bad DNS PTR resource record. ¶ 554 For explanation visit https://postmaster.web.de/en/error-messages?ip=192.0.2.25&c=rdns
invalid_recipient rcpt | 550-Requested action not taken: mailbox unavailable ¶ 550 For explanation visit https://postmaster.gmx.net/en/error-messages?ip=192.0.2.25&c=mbu
auth mail | 550-Requested action not taken: mailbox unavailable ¶ 550-Reject due to SPF policy. The originating IP of the message is not permitted by the domain owner ¶ 550 For explanation visit https://postmaster.web.de/en/case?c=r0103
policy dot | 554-Transaction failed ¶ 554-Reject due to policy restrictions. ¶ 554 For explanation visit https://postmaster.gmx.net/en/email-policy?c=hi&i=ip&v=192.0.2.25
content dot | 550 <user@web.de>: Reject due to policy restrictions (header based)
reputation dot | 550 <user@web.de>: Reject due to policy restrictions (IP based)
mailbox_full rcpt | 552 Requested mail action aborted: exceeded storage allocation Quota exceeded.
mailbox_full rcpt | 550 <user@web.de>: Requested mail action aborted: exceeded storage allocation, Quota exceeded
sender mail | 550-Requested action not taken: mailbox unavailable ¶ 550 invalid DNS MX or A/AAAA resource record
protocol mail | 501 Syntax error in parameters or arguments
mailbox rcpt | 450 4.3.2 Too many mails (mail bomb), try again in 1 hour(s) 25 minute(s) and see ( http://portal.gmx.net/serverrules ) {mx-us011}
rate connect | 421 Rate limit reached. Please try again later
reputation connect | 421-gmx.net (mxgmx016) Nemesis ESMTP Service not available ¶ 421-Service closing transmission channel ¶ 421 Reject due to policy violations. For explanation visit https://www.gmx.net/mail/senderguidelines?c=rip
remote_system | 451 Requested action aborted: local error in processing
`,
  ),
  ...replies(
    {
      provider: 'T-Online',
      source:
        'https://postmaster.t-online.de/ and https://www.spamresource.com/2020/06/whoops-t-onlinede-not-accepting-mail.html',
      mxHost: 'mx02.t-online.de',
    },
    `
reputation connect | 554 IP=192.0.2.25 - A problem occurred. (Ask your postmaster for help or to contact tosa@rx.t-online.de to clarify.) (BL)
spam dot | 550 5.7.0 Message considered as spam or virus, rejected
invalid_recipient rcpt | 550 5.1.1 user unknown
mailbox_full rcpt | 552 5.2.2 Over STORAGE quota
`,
  ),
  ...replies(
    {
      provider: 'German providers',
      source:
        'http://www.sitepackage.de/service/dokumentation/auswertung/typische-fehlermeldungen-bei-unzustellbarkeit.html and https://www.bytecamp.net/de/faq/email/zustellen.html',
    },
    `
invalid_recipient rcpt | 550 Benutzer nicht bekannt/User unknown
invalid_recipient rcpt | 550 Unknown local part newsletter in <newsletter@web.de>
mailbox_full rcpt | 550 Benutzer hat das Speichervolumen ueberschritten. / User has exhausted allowed storage space.
mailbox_full rcpt | 550 Benutzer hat zuviele Mails auf dem Server. / User has too many messages on the server.
mailbox_disabled rcpt | 550 5.2.1 <user@gmx.de>... User is inactive
invalid_recipient rcpt | 550 MAILBOX NOT FOUND
invalid_recipient rcpt | 550 unrouteable address
reputation connect | 554 Refused. Your reverse DNS entry contains your IP address and a country code.
mailbox_disabled rcpt | 550 <user@lycos.de>: Recipient address rejected: Account Closed
reputation rcpt | 450 4.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.25]
greylisting rcpt | 450 4.2.0 <user@example.de>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/example.de.html
rate connect | 421 4.7.0 mail1.example.de Error: too many connections from 192.0.2.25
mailbox_full rcpt | 422 4.2.2 Quota limit exceeded (Speicherplatz des Kontos ueberschritten)
spam dot | 571 5.7.1 message classified as spam (Nachricht als Spam eingestuft)
`,
  ),
]

const france = [
  ...replies(
    {
      provider: 'Orange',
      source: 'https://bentonow.com/smtp-errors/orange and https://smtp.codes/orange',
      mxHost: 'smtp-in.orange.fr',
    },
    `
rate connect | 421 mwinf5c33 ME Trop de connexions, veuillez verifier votre configuration. Too many connections, slow down. OFR004_104 [104]
rate connect | 421 mwinf5c12 ME Service refuse. Veuillez essayer plus tard. Service refused, please try later. OFR004_105 [105]
remote_system rcpt | 421 4.2.0 Service refuse. Veuillez essayer plus tard. Service refused, please try later. OFR005_505 [505]
reputation connect | 421 mwinf5c77 ME Service refuse. Veuillez essayer plus tard. Service refused, please try later. OFR_999 [999]
sender mail | 501 5.1.0 Emetteur invalide. Invalid Sender. OFR004_405 [405]
spam dot | 550 5.2.0 Mail rejete. Mail rejected. ofr_506 [506]
invalid_recipient rcpt | 550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR_416 [416]
mailbox_full rcpt | 552 5.1.1 Boite du destinataire pleine. Recipient overquota. OFR_417 [417]
reputation connect | 550 mwinf5c04 ME Adresse IP source bloquee pour incident de spam. Client host blocked for spamming issues. OFR006_102 Ref http://csi.cloudmark.com/reset-request/?ip=192.0.2.25 [102]
`,
  ),
  ...replies(
    {
      provider: 'Laposte',
      source: 'https://bentonow.com/smtp-errors/laposte',
      mxHost: 'smtpz4.laposte.net',
    },
    `
rate connect | 450 4.7.1 <mail.example.com[192.0.2.25]>: Client host rejected: Service refuse. Veuillez essayer plus tard. service refused, please try later. LPN027_503
sender mail | 450 4.1.8 <news@example.com>: Sender address rejected: Emetteur invalide. Invalid Sender. LPN007_405
invalid_recipient rcpt | 550 5.1.1 <user@laposte.net>: Recipient address rejected: Adresse d au moins un destinataire invalide. Invalid recipient. LPN007_416
mailbox_disabled rcpt | 550 5.5.0 Le compte du destinataire est bloque. The recipient account isblocked. LPN007_426
`,
  ),
  ...replies(
    { provider: 'SFR', source: 'https://bentonow.com/smtp-errors/sfr', mxHost: 'smtp-in.sfr.fr' },
    `
rate | 421 4.7.0 msfrf2604.sfr.fr Error: too many errors
reputation connect | 450 4.7.1 <mail.example.com[192.0.2.25]>: Client host rejected: Service refused due to bad behavior. Too many spam messages. SFR_IN_101
`,
  ),
  ...replies(
    { provider: 'Free', source: 'https://smtp.codes/free', mxHost: 'mx1.free.fr' },
    `
spam dot | 550 spam detected
mailbox_full rcpt | 552 5.2.2 user quota exceeded (UserSearch)
mailbox_disabled rcpt | 550 5.2.1 This mailbox has been blocked due to inactivity (UserSearch)
content dot | 550 virus detected
mailbox_full rcpt | 554 5.2.2 <user@free.fr>: Recipient address rejected: Quota exceeded (mailbox for user is full)
`,
  ),
]

const easternEurope = [
  ...replies(
    {
      provider: 'Mail.ru',
      source:
        'https://smtp.codes/mailru and https://viws.ru/en/poterya-pochtovyh-soobshchenii-oshibki-pochtovoi-sistemy.html',
      mxHost: 'mxs.mail.ru',
    },
    `
mailbox_disabled rcpt | 550 Message was not accepted -- invalid mailbox.  Local mailbox user@mail.ru is unavailable: account is disabled
invalid_recipient rcpt | 550 Message was not accepted -- invalid mailbox.  Local mailbox user@mail.ru is unavailable: user not found
spam dot | 550 spam message rejected. Please visit http://help.mail.ru/notspam-support/id?c=7y4ytdHbuOGv3O50NYTwpz1F or report details to abuse@corp.mail.ru. Error code: B5322EEFE1B8DBD1. ID: 0000000D000018F3.
auth dot | 550 5.7.1 This message was not accepted due to domain (example.com) owner DMARC policy (RFC 7489) https://help.mail.ru/mail-help/postmaster/dmarc
`,
  ),
  ...replies(
    {
      provider: 'Yandex',
      source: 'https://smtp.codes/yandex',
      mxHost: 'mx.yandex.ru',
    },
    `
timeout | 421 4.4.2 iva8-d077482f1536.qloud-c.yandex.net Error: timeout exceeded
mailbox rcpt | 450 4.2.1 The recipient has exceeded message rate limit. Try again later.
remote_system | 451 4.7.1 Sorry, the service is currently unavailable. Please come back later.
policy rcpt | 550 5.7.1 Policy rejection on the target address
invalid_recipient rcpt | 550 5.7.1 No such user!
auth dot | 550 5.7.1 Email rejected per DMARC policy for mail.ru 1709 iUa5QV0iWqM1
mailbox_full rcpt | 552 5.2.2 Mailbox size limit exceeded 1424946512-MrMK4Eh1VP
spam dot | 554 5.7.1 [1] Message rejected under suspicion of SPAM; https://ya.cc/1IrBc 1584694267-wJwrsYVPxg
`,
  ),
  ...replies(
    { provider: 'Rambler', source: 'https://smtp.codes/rambler', mxHost: 'inmx.rambler.ru' },
    `
spam dot | 554 5.7.1 Spam message rejected; If this is not spam contact abuse
`,
  ),
  ...replies(
    {
      provider: 'Forpsi',
      source: 'https://support.konto.pl/kb/a2871 and https://support.grhosting.cz/kb/a290',
      mxHost: 'mxavas.forpsi.com',
    },
    `
mailbox_full rcpt | 552 5.1.1 5.2.2 sorry, final recipient mailbox is full (chkuser)
policy rcpt | 550 5.1.1 <news@example.com> sender is blacklisted
spam dot | 552 5.2.0 0biL1i00V1cmcpM01biL4w spam detected
auth dot | 550 5.1.0 0bcW1i00G0jifNx01bcmHa blocked by SPF
policy dot | 550 5.1.0 cNkj1y0022zrrQM01NkjaD policy violation, see https://support.forpsi.com/kb/a4081
`,
  ),
  ...replies(
    {
      provider: 'Interia',
      source: 'https://pomoc.poczta.interia.pl/news-dlaczego-wiadomosc-nie-zostala-dostarczona,nId,6589600',
      mxHost: 'mx.poczta.interia.pl',
    },
    `
invalid_recipient rcpt | 550 5.1.1 Account not found
policy rcpt | 550 5.7.1 Recipient doesn't want your mail
auth mail | 550 5.7.0 [SPF] host 192.0.2.25 is not allowed to send mail from example.com
`,
  ),
  ...replies(
    { provider: 'RU-CENTER', source: 'https://nic.ru/help/mail-diagnostics-and-troubleshooting_14426.html' },
    `
mailbox_full rcpt | 451 example.ru prohibited. Disk quota exceeded
greylisting rcpt | 451 Please try another server
`,
  ),
]

const asia = [
  ...replies(
    {
      provider: 'QQ',
      source: 'https://smtp.codes/qq and https://service.mail.qq.com/detail/122',
      mxHost: 'mx3.qq.com',
    },
    `
policy rcpt | 550 Mail is rejected by recipients [LYyqUIGv9bYLgYpk IP: 192.0.2.25]. https://service.mail.qq.com/detail/122/92.
mailbox dot | 550 Mailbox unavailable or access denined [Mf9Za3vqRR IP: 192.0.2.25]. https://service.mail.qq.com/detail/122/166.
invalid_recipient rcpt | 550 Mailbox not found. http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=20022&&no=1000728
spam dot | 550 Mail content denied. http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=20022&&no=1000726
rate dot | 550 Sender frequency limited. http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=20022&&no=1000723
rate dot | 550 Ip frequency limited [Oaj1ioVTF4gnIZdRer4tvauWt2IFP Blocked IP 192.0.2.25]. http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=20022&&no=1000725
reputation dot | 550 Suspected spam ip. https://service.mail.qq.com/detail/122/66
auth dot | 550 DMARC check failed [MHPq59EnwWnnM2tSL4bv IP: 192.0.2.25]. http://service.mail.qq.com/cgi-bin/help?subtype=1&&no=1001508&&id=16
auth dot | 550 SPF check failed [MHPq59EnwWnnM2tSL4bvrVEKOVVHKNfj IP: 192.0.2.25]. https://service.mail.qq.com/detail/122/72.
invalid_recipient rcpt | 501 Bad address syntax. http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=20022&&no=1000730
mailbox_disabled rcpt | 551 <user@qq.com> is a deactivated mailbox
`,
  ),
  ...replies(
    {
      provider: 'NetEase',
      source:
        'http://help.163.com/09/1224/17/5RAJ4LMH00753VB8.html (as quoted by https://biecuoliao.com/pa/MBRrwEM.html)',
      mxHost: '163mx01.mxmail.netease.com',
    },
    `
reputation connect | 421 HL:REP 163 mx45,QMCowACXv8ciZ2ZX 192.0.2.25
rate connect | 421 HL:ICC 163 mx12,N8CowABXNZEYSLBY 192.0.2.25
rate connect | 421 HL:IFC 163 mx2,NMCowAA3 192.0.2.25
rate | 450 MI:DMC 163 smtp7,CsCowEDZ
reputation | 450 DT:RBL 163 mx15,O8CowADX 192.0.2.25
spam dot | 451 DT:SPM 163 mx40,WsCowAAnEhlCoEVa5GjcAA--.20089S3 1514512452, please try again 15min later
spam dot | 554 DT:SPM 163 mx9,O8CowEDJVFKCokVaRhz+AA--.26016S3 1514513028,please see http://mail.163.com/help/help_spam_16.htm?ip=192.0.2.25
invalid_recipient rcpt | 550 User not found: user@163.com
policy mail | 554 sender is rejected: 0,mx20,wKjR5bDrnoM2yNtEZVAkBg==.32467S2
`,
  ),
  ...replies(
    {
      provider: 'Chinese hosts',
      source:
        'https://www.dbmailserver.com/tui-xin-address-not-exist.htm and https://blog.sina.com.cn/s/blog_8dc13ec50101fxxr.html',
    },
    `
invalid_recipient rcpt | 550 RC:NE The email account does not exist.
invalid_recipient rcpt | 551 5.1.1 recipient is not exist
invalid_recipient rcpt | 550 Local User [user@example.cn] not found.
invalid_recipient rcpt | 550 #2175041 unavailable mail user
invalid_recipient rcpt | 550 5.7.0 user@example.cn... address invalid
spam dot | 552 message rejected by anti-spam engine.
content dot | 552 Virus found.
too_large dot | 552 message is too long.
reputation connect | 550 black ip.
routing dot | 552 looping message.
`,
  ),
  ...replies(
    {
      provider: 'Aliyun',
      source: 'https://lore.kernel.org/linux-wireless/ (10 August 2023)',
      mxHost: 'mx1.qiye.aliyun.com',
    },
    `
invalid_recipient rcpt | 554 RCPT (user@example.cn) dosn't exist
`,
  ),
  ...replies(
    {
      provider: 'Japanese carriers',
      source: 'https://note.com/sendmagic/n/neb6bbe7e51cf, n875d8dcb6cb8, n5afbf98aeb25, n59a9f610bc0e',
    },
    `
protocol dot | 500 Line Too Long
invalid_recipient rcpt | 550 Unknown user user@docomo.ne.jp
mailbox_full rcpt | 552 Too much mail data user@docomo.ne.jp
invalid_recipient rcpt | 550 <user@ezweb.ne.jp>: User unknown
routing rcpt | 554 <user@ezweb.ne.jp>: Relay access denied
invalid_recipient rcpt | 550 Invalid recipient: <user@i.softbank.jp>
sender mail | 553 news.example.com does not exist
rate | 421 #4.x.2 Too many messages for this session
`,
  ),
]

/** Access providers and mailbox providers of one country or region. */
export const networkProviders: readonly LabelledReply[] = [
  ...america,
  ...germany,
  ...france,
  ...easternEurope,
  ...asia,
]
