/** What people are told by mail about their account. None repeats a name that somebody typed in: addresses may be strangers'. */
import type { SystemMailText } from './system-mail.ts'

export const linkSeconds = 3_600
export const invitationSeconds = 7 * 86_400

export function verificationMail(to: string, url: string): SystemMailText {
  return {
    to,
    subject: 'Confirm your e-mail address',
    paragraphs: [
      'Somebody, hopefully you, gave this address for an account.',
      'Follow the link within an hour to confirm it. If it was not you, do nothing.',
    ],
    link: { label: 'Confirm the address', url },
    expiresInSeconds: linkSeconds,
  }
}

export function resetMail(to: string, url: string): SystemMailText {
  return {
    to,
    subject: 'Choose a new password',
    paragraphs: [
      'Somebody, hopefully you, asked for a new password.',
      'Follow the link within an hour to choose one. If it was not you, do nothing: your password stays as it is.',
    ],
    link: { label: 'Choose a password', url },
    expiresInSeconds: linkSeconds,
  }
}

/** To the address that an account leaves. */
export function newAddressMail(to: string, newAddress: string, url: string): SystemMailText {
  return {
    to,
    subject: 'Confirm the change of your e-mail address',
    paragraphs: [
      `The address of your account is to become ${newAddress}.`,
      'Follow the link within an hour if you want that. If it was not you, do nothing and change your password.',
    ],
    link: { label: 'Confirm the change', url },
    expiresInSeconds: linkSeconds,
  }
}

export function passwordChangedMail(to: string): SystemMailText {
  return {
    to,
    subject: 'Your password was changed',
    paragraphs: [
      'The password of your account was changed, and every other session was ended.',
      'If it was not you, ask for a new password at once.',
    ],
    expiresInSeconds: 86_400,
  }
}

export function invitationMail(
  to: string,
  organization: string,
  inviter: string,
  url: string,
): SystemMailText {
  return {
    to,
    subject: `Invitation to ${organization}`,
    paragraphs: [
      `${inviter} invites you to join the organization ${organization}.`,
      'Follow the link within seven days to accept. If you do not know them, do nothing.',
    ],
    link: { label: 'Accept the invitation', url },
    expiresInSeconds: invitationSeconds,
  }
}
