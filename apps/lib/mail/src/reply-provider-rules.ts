/** What remote replies mean: the codes and the wording of single providers, which come before the common rules. */
import type { ReplyRule } from './reply-rules.ts'

export const providerRules: readonly ReplyRule[] = [
  // Microsoft: https://learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online
  {
    name: 'microsoft-banned-source',
    mx: ['outlook.com'],
    code: /^5\d\d 5\.7\.(?:50[1-3]|511|513|60[6-9]|6[1-4]\d|708)$/,
    category: 'reputation',
    example: '550 5.7.606 Access denied, banned sending IP [192.0.2.25]',
  },
  {
    name: 'microsoft-suspicious-source',
    mx: ['outlook.com'],
    code: /^4\d\d 4\.7\.(?:[56]\d\d|8[5-9]\d)$/,
    text: ['access denied'],
    category: 'reputation',
    example: '451 4.7.550 Access denied, please try again later',
  },
  {
    name: 'microsoft-busy-for-us',
    mx: ['outlook.com'],
    code: /^4\d\d 4\.7\.[56]\d\d$/,
    category: 'rate',
    example: '451 4.7.500 Server busy. Please try again later from [192.0.2.25]. (AS77712344)',
  },
  {
    name: 'microsoft-unauthenticated',
    mx: ['outlook.com'],
    code: /^5\d\d 5\.7\.5(?:09|15)$/,
    category: 'auth',
    example:
      '550 5.7.515 Access denied, sending domain example.com does not meet the required authentication level.',
  },
  {
    name: 'microsoft-edge-blocking',
    text: [
      'recipient addresse?s? rejected ?: access denied.{0,60}outlook\\.com',
      'access denied\\.? as\\(20180',
    ],
    category: 'invalid_recipient',
    example:
      '550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [BN1NAM02FT022.eop-nam02.prod.protection.outlook.com]',
  },
  {
    name: 'microsoft-edge-blocking-code',
    mx: ['outlook.com'],
    code: /^5\d\d 5\.4\.1$/,
    category: 'invalid_recipient',
    example: '550 5.4.1 All recipient addresses rejected : Access denied',
  },
  {
    name: 'microsoft-recipient-hourly-limit',
    mx: ['outlook.com'],
    code: /^5\d\d 5\.2\.122$/,
    category: 'mailbox',
    // A limit per hour; the documentation asks senders to try again later
    outcome: 'deferred',
    example:
      '554 5.2.122 The recipient has exceeded their limit for the number of messages they can receive per hour.',
  },
  {
    name: 'microsoft-sender-hourly-limit',
    mx: ['outlook.com'],
    code: /^5\d\d 5\.2\.121$/,
    category: 'rate',
    // A limit per hour; the documentation asks senders to try again later
    outcome: 'deferred',
    example:
      '554 5.2.121 The sender has exceeded the limit for the number of messages they can send to this recipient per hour.',
  },
  {
    name: 'microsoft-reserved-domain',
    text: ['recipient address reserved'],
    category: 'invalid_recipient',
    example: '501 5.1.4 Recipient address reserved by RFC 2606',
  },
  {
    name: 'microsoft-header-too-long',
    text: ['x-dg-ref'],
    category: 'policy',
    example: '550 5.0.350 x-dg-ref header is too long',
  },

  // Google: https://support.google.com/a/answer/3726730
  {
    name: 'google-denial-of-service-guard',
    mx: ['google.com'],
    text: ['try again later, closing connection'],
    category: 'rate',
    example: '421 4.7.0 Try again later, closing connection. (EHLO) a640c23a62f3a - gsmtp',
  },
  {
    name: 'google-rate',
    mx: ['google.com'],
    code: /^(?:421 4|550 5)\.7\.28$/,
    category: 'rate',
    example: '550 5.7.28 There is an unusual rate of unsolicited mail originating from your IP address.',
  },

  // Yahoo, AOL: https://senders.yahooinc.com/smtp-error-codes
  {
    name: 'yahoo-permanently-deferred',
    text: ['tss09', 'tss1\\d'],
    category: 'reputation',
    example:
      '553 5.7.2 [TSS09] All messages from 192.0.2.25 will be permanently deferred; Retrying will NOT succeed.',
  },
  {
    name: 'yahoo-slow-down',
    text: ['tss0[1-8]', 'ts0\\d\\]', 'gl01\\]'],
    category: 'rate',
    example:
      '421 4.7.0 [TSS04] Messages from 192.0.2.25 temporarily deferred due to unexpected volume or user complaints',
  },
  {
    name: 'yahoo-block-list',
    text: ['bl2\\d\\]', 'dyn:t\\d', 'rtr:(?:bl|rl|sc|bb|du|rd|bg|ch|ge)'],
    category: 'reputation',
    example:
      "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.25, because the ip is in Spamhaus's list",
  },
  {
    name: 'yahoo-phishing',
    text: ['ph01\\]', 'hvu:b'],
    category: 'spam',
    example: '554 Message not allowed - [PH01] Email not accepted for policy reasons.',
  },
  {
    name: 'yahoo-unauthenticated',
    mx: ['yahoodns.net', 'aol.com'],
    code: /^55\d 5\.7\.9$/,
    category: 'auth',
    example:
      '554 5.7.9 Message not accepted for policy reasons. See https://postmaster.yahooinc.com/error-codes',
  },

  // Apple: https://support.apple.com/102322
  {
    name: 'apple-filter',
    text: ['cs01\\]', 'hm08\\]'],
    category: 'spam',
    example: '554 5.7.1 [CS01] Message rejected due to local policy.',
  },

  // Comcast: http://postmaster.comcast.net/smtp-error-codes.php
  {
    name: 'comcast-rate',
    text: ['rl0000\\d\\d'],
    category: 'rate',
    example:
      '421 4.1.0 news@example.com Throttled. See http://postmaster.comcast.net/smtp-error-codes.php#RL000001',
  },
  {
    name: 'comcast-block',
    text: ['bl0\\d{2,6}', 'es0000\\d\\d'],
    category: 'reputation',
    example: '554 resimta-ch2-10v.sys.comcast.net comcast 192.0.2.25 Comcast block for spam. #BL000000',
  },

  // Spectrum and Cox, behind the same software: https://www.cox.com/residential/support/email-error-codes.html
  {
    name: 'aup-rate',
    text: ['aup#(?:\\w{1,2}-)?1(?:3\\d\\d|4\\d\\d|5[458]0)', 'aup#cx(?:cnct|mxrt)'],
    category: 'rate',
    example: '550 5.1.0 <news@example.com> sender rejected. AUP#I-1310',
  },
  {
    name: 'aup-block',
    text: ['aup#(?:\\w{1,2}-)?1(?:0|1[0-5]|2[0-5])', 'aup#(?:cxbl|cdrbl|cxdns|ipbl)'],
    category: 'reputation',
    example: '554 p-impin013.msg.pkvw.co.charter.net cmsmtp 192.0.2.25 blocked. AUP#In-1000',
  },
  {
    name: 'aup-unauthenticated',
    text: ['aup#cxsndr'],
    category: 'auth',
    example: '552 5.2.0 <news@example.com> message rejected. AUP#CXSNDR',
  },
  {
    name: 'aup-listed-address',
    text: ['aup#urlbl'],
    category: 'spam',
    example: '552 5.2.0 message rejected AUP#URLBL011',
  },

  // United Internet: https://postmaster.gmx.net/en/error-messages
  {
    name: 'united-internet-source',
    text: ['nemesis esmtp service not available', 'reject due to policy violations', 'restrictions \\(ip'],
    category: 'reputation',
    example: '554-gmx.net (mxgmx104) Nemesis ESMTP Service not available',
  },

  // Telekom: https://postmaster.t-online.de/
  {
    name: 't-online-source',
    mx: ['t-online.de'],
    text: ['problem occurred', 'ask your postmaster'],
    category: 'reputation',
    example:
      '554 IP=192.0.2.25 - A problem occurred. (Ask your postmaster for help or to contact tosa@rx.t-online.de to clarify.) (BL)',
  },

  // Orange and La Poste number alike: https://www.postmastery.com/orange-postmaster-smtp-error-codes-ofr/
  {
    name: 'ofr-rate',
    text: ['ofr\\d*_(?:10[4589]|109|201)', 'lpn\\d*_(?:10[4589]|503)'],
    category: 'rate',
    example: '421 mwinf5c33 ME Trop de connexions. Too many connections, slow down. OFR004_104 [104]',
  },
  {
    name: 'ofr-source',
    text: ['ofr\\d*_(?:10[1-3]|510|999)', 'lpn\\d*_(?:10[1-3]|510)'],
    category: 'reputation',
    example: '421 mwinf5c77 ME Service refuse. Veuillez essayer plus tard. OFR_999 [999]',
  },
  {
    name: 'ofr-spam',
    text: ['ofr\\d*_506', 'ouk\\d*_513', 'lpn\\d*_506'],
    category: 'spam',
    example: '550 5.2.0 Mail rejete. Mail rejected. ofr_506 [506]',
  },
  {
    name: 'ofr-out-of-order',
    text: ['ofr\\d*_505', 'lpn\\d*_505'],
    category: 'remote_system',
    example: '421 4.2.0 Service refuse. Veuillez essayer plus tard. OFR005_505 [505]',
  },
  {
    name: 'ofr-closed',
    text: ['ofr\\d*_42[06]', 'lpn\\d*_42[06]'],
    category: 'mailbox_disabled',
    example: '550 5.5.0 Le compte du destinataire est bloque. LPN007_426',
  },

  // SFR: each code blocks the source for two hours
  {
    name: 'sfr-source',
    text: ['sfr_in_\\d0[1-4]'],
    category: 'reputation',
    example:
      '450 4.7.1 Client host rejected: Service refused due to bad behavior. Too many spam messages. SFR_IN_101',
  },

  // Tencent: https://service.mail.qq.com/detail/122
  {
    name: 'qq-recipient-gets-too-much',
    mx: ['qq.com'],
    text: ['mailbox unavailable or access den'],
    category: 'mailbox',
    example: '550 Mailbox unavailable or access denied',
  },

  // NetEase: http://help.163.com/09/1224/17/5RAJ4LMH00753VB8.html
  {
    name: 'netease-rate',
    text: ['hl:i[cf]c', 'mi:\\w{3}', 'rp:\\w{3}'],
    category: 'rate',
    example: '421 HL:ICC 163 mx12,N8CowABXNZEYSLBY 192.0.2.25',
  },
  {
    name: 'netease-source',
    text: ['hl:(?:rep|mep)', 'dt:rbl'],
    category: 'reputation',
    example: '421 HL:REP 163 mx45,QMCowACXv8ciZ2ZX 192.0.2.25',
  },
  {
    name: 'netease-spam',
    text: ['dt:spm'],
    category: 'spam',
    example: '554 DT:SPM 163 mx9,O8CowEDJVFKCokVaRhz+AA--.26016S3 1514513028',
  },

  // Mimecast: https://community.mimecast.com/s/article/Mimecast-SMTP-Error-Codes-842605754
  {
    name: 'mimecast-greylisting',
    mx: ['mimecast.com', 'mimecast.co.za', 'mimecast-offshore.com'],
    text: ['internal resources? (?:are )?temporarily'],
    category: 'greylisting',
    example:
      '451 Internal resource temporarily unavailable - https://community.mimecast.com/docs/DOC-1369#451',
  },
  {
    name: 'mimecast-busy',
    mx: ['mimecast.com', 'mimecast.co.za', 'mimecast-offshore.com'],
    text: ['account service is temporarily'],
    category: 'rate',
    example:
      '451 Account service is temporarily unavailable - https://community.mimecast.com/docs/DOC-1369#451',
  },
  {
    name: 'mimecast-account',
    text: ['account (?:in|out)bounds disabled'],
    category: 'policy',
    example: '451 Account inbounds disabled - https://community.mimecast.com/docs/DOC-1369#451',
  },
  {
    name: 'mimecast-spam',
    text: ['email rejected due to security policies'],
    category: 'spam',
    example: '554 Email rejected due to security policies - https://community.mimecast.com/docs/DOC-1369#554',
  },

  // GoDaddy: https://www.godaddy.com/help/fix-rejected-email-with-a-bounce-error-40685
  {
    name: 'godaddy-rate',
    text: ['ib007', 'ib605'],
    category: 'rate',
    example: '421 Connection refused, too many sessions from 192.0.2.25. IB007',
  },
  {
    name: 'godaddy-hourly-limit',
    text: ['ib504', 'ib510', 'ib607'],
    category: 'rate',
    // Limits per session and per hour, which a later session does not meet
    outcome: 'deferred',
    example: '550 192.0.2.25 has sent too many messages this hour. IB504',
  },
  {
    name: 'godaddy-source',
    text: ['ib10[34568]', 'ib11[0-3]', 'ib301', 'rbl reject'],
    category: 'reputation',
    example:
      '554 192.0.2.25 has been temporarily blocked for attempting to mail too many invalid recipients. IB112',
  },
  {
    name: 'godaddy-spam',
    text: ['ib212'],
    category: 'spam',
    example:
      '552 This message has been rejected due to content judged to be spam by the internet community IB212',
  },
  {
    name: 'godaddy-sender',
    text: ['ib50[126]'],
    category: 'sender',
    example: '550 example.com From: Domain is invalid. Provide a valid From: IB506',
  },

  // Symantec: https://knowledge.broadcom.com/external/article/169652
  {
    name: 'symantec-source',
    text: ['connection rejected by policy'],
    category: 'reputation',
    example: '501 Connection rejected by policy [7.7] 20805, please visit www.messagelabs.com/support',
  },
  {
    name: 'symantec-spam',
    text: ['message filtered'],
    category: 'spam',
    example: '553-Message filtered. Refer to the Troubleshooting page',
  },

  // Facebook: https://www.facebook.com/postmaster/response_codes
  {
    name: 'facebook-source',
    text: ['pol-[pt][1-4]', 'dns-p3', 'dns-t2'],
    category: 'reputation',
    example: '554 5.7.1 POL-P1 http://www.spamhaus.org/query/bl?ip=192.0.2.25',
  },
  {
    name: 'facebook-recipient',
    text: ['rcp-p1', 'int-p[134]'],
    category: 'invalid_recipient',
    example: '550 5.1.1 RCP-P1 http://postmaster.facebook.com/response_codes?ip=192.0.2.25#rcp',
  },
  {
    name: 'facebook-closed',
    text: ['rcp-t4'],
    category: 'mailbox_disabled',
    example:
      '421 4.7.1 RCP-T4 http://postmaster.facebook.com/response_codes Recipient account is unavailable',
  },
  {
    name: 'facebook-rate',
    text: ['con-t[1-4]', 'msg-t1'],
    category: 'rate',
    example: '421 4.7.1 CON-T2 http://postmaster.facebook.com/response_codes',
  },

  // Vade: https://postmaster-oxsus.vadesecure.com/
  {
    name: 'vade-source',
    text: ['oxsus\\d+_10[15]'],
    category: 'reputation',
    example: '550 5.7.1 Connection refused OXSUS0001_101',
  },
  {
    name: 'vade-rate',
    text: ['oxsus\\d+_1(?:10|36|39|40)'],
    category: 'rate',
    example: '421 4.2.1 Connection refused OXSUS0001_139',
  },
]
