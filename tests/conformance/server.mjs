// The server of the tests, unchanged but for its address: it would listen on every interface.
import net from 'node:net'

const { listen } = net.Server.prototype
net.Server.prototype.listen = function (port) {
  return listen.call(this, port, '127.0.0.1')
}
await import(process.argv[2])
