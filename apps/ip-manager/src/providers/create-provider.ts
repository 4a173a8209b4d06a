/** The provider that the configuration names. */
import type { CreateProvider } from '../provider.ts'
import { Hetzner } from './hetzner.ts'
import { Static } from './static.ts'
import { UpCloud } from './upcloud.ts'

/** config.ts has made sure that the credentials of this provider are there. */
export const createProvider: CreateProvider = (config, readFleet, prove) => {
  const url = config.IP_PROVIDER_URL
  switch (config.IP_PROVIDER) {
    case 'upcloud':
      return new UpCloud({
        url,
        prove,
        credentials:
          config.UPCLOUD_TOKEN === undefined
            ? { username: config.UPCLOUD_USERNAME!, password: config.UPCLOUD_PASSWORD! }
            : { token: config.UPCLOUD_TOKEN },
      })
    case 'hetzner':
      return new Hetzner({ url, prove, token: config.HETZNER_TOKEN! })
    case 'static':
      return new Static({ readFleet })
    default: {
      const unreachable: never = config.IP_PROVIDER
      throw new Error(`unreachable: ${unreachable}`)
    }
  }
}
