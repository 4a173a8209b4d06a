/** All ways of writing one address are the same address to a suppression list. */
import { expect, test } from '@jest/globals'
import { suppressionAddress } from './suppression-address.ts'

test.each([
  ['case', 'Bob.Smith@DEST.test', 'bob.smith@dest.test'],
  ['quotes that are not needed', '"bob"@dest.test', 'bob@dest.test'],
  ['quoted capitals', '"BOB"@dest.test', 'bob@dest.test'],
  ['quotes that are needed', '"Bob S"@dest.test', '"bob s"@dest.test'],
  ['an escaped character in quotes', '"b\\ob"@dest.test', 'bob@dest.test'],
  ['an internationalised domain', 'bob@BÜCHER.test', 'bob@xn--bcher-kva.test'],
  ['its A-labels', 'bob@XN--BCHER-KVA.test', 'bob@xn--bcher-kva.test'],
  ['a tag, which is an address of its own', 'Bob+News@dest.test', 'bob+news@dest.test'],
])('%s', (_name, text, address) => {
  expect(suppressionAddress(text)).toBe(address)
})

test.each([
  ['no address', 'bob'],
  ['a name', 'Bob <bob@dest.test>'],
  ['two addresses', 'bob@dest.test,ann@dest.test'],
  ['a NUL', 'bob\0@dest.test'],
  ['a line break', 'bob@dest.test\r\n'],
])('%s is refused with what is wrong', (_name, text) => {
  expect(suppressionAddress(text)).toEqual({ problem: expect.any(String) })
})
