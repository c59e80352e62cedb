"""The link through proxies, and ALPN: an HTTP proxy (CONNECT), a SOCKS5 proxy, and a broker that asks for a protocol."""
import base64
import pathlib
import socket
import ssl
import struct
import tempfile
import threading
import unittest

from limited_broker import LimitedBroker
from link_parts import Broker, Listener, Probe, make_certificates, wait_until

SIDE_BY_SIDE = 3
ALPN = "x-amzn-mqtt-ca"


def exactly(sock, count):
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


class Relay(Listener):
    """A proxy on a free port. `asked` has what it was asked for; a subclass says how."""

    def __init__(self, login=None):
        self.login, self.asked, self.answer = login, [], None
        super().__init__()

    def serve(self, client):
        try:
            wanted = self.greet(client)
            if not wanted:
                client.close()
                return
            far = socket.create_connection(wanted)
        except (OSError, EOFError):
            client.close()
            return
        threading.Thread(target=self._pass, args=(client, far), daemon=True).start()
        self._pass(far, client)

    @staticmethod
    def _pass(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class HttpProxy(Relay):
    def greet(self, client):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += exactly(client, 1)
        lines = head.decode().split("\r\n")
        self.asked.append(lines[0])
        if self.answer:
            client.sendall(self.answer)
            return None
        wanted = "Proxy-Authorization: Basic " + base64.b64encode(":".join(self.login or ("", "")).encode()).decode()
        if self.login and wanted not in lines:
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            return None
        client.sendall(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
        host, port = lines[0].split()[1].rsplit(":", 1)
        return host.strip("[]"), int(port)


class SocksProxy(Relay):
    def greet(self, client):
        _, count = exactly(client, 2)
        methods = exactly(client, count)
        method = 2 if self.login else 0
        if method not in methods:
            client.sendall(bytes([5, 0xFF]))
            return None
        client.sendall(bytes([5, method]))
        if self.login:
            name = exactly(client, exactly(client, 2)[1]).decode()
            password = exactly(client, exactly(client, 1)[0]).decode()
            client.sendall(bytes([1, (name, password) != self.login]))
            if (name, password) != self.login:
                return None
        kind = exactly(client, 4)[3]
        host = socket.inet_ntoa(exactly(client, 4)) if kind == 1 else exactly(client, exactly(client, 1)[0]).decode()
        port = struct.unpack(">H", exactly(client, 2))[0]
        self.asked.append(f"{host}:{port}")
        client.sendall(bytes([5, self.answer or 0, 0, 1, 0, 0, 0, 0, 0, 0]))
        return None if self.answer else (host, port)


class ProxyTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.certificates = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.certificates.cleanup)
        cls.keys = pathlib.Path(cls.certificates.name)
        make_certificates(cls.keys)

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def relay(self, kind, login=None):
        relay = kind(login)
        self.addCleanup(relay.close)
        return relay

    def broker(self, certificate="broker"):
        broker = Broker(self.folder, ("allow_anonymous true", f"cafile {self.keys}/ca.crt", f"certfile {self.keys}/{certificate}.crt",
                                      f"keyfile {self.keys}/{certificate}.key"))
        self.addCleanup(broker.stop)
        return broker

    def probe(self, port, *options):
        probe = Probe("host=localhost", f"port={port}", "filter=lab/events/#", "tls=1", f"ca={self.keys}/ca.crt",
                      f"folder={self.folder}", *options)
        self.addCleanup(probe.end)
        return probe

    def password(self, text):
        path = self.folder / "proxy-password"
        path.write_text(text + "\n")
        path.chmod(0o600)
        return f"proxy_password_file={path}"

    def whole(self, broker, probe):
        """Events come in, and the session is kept by the broker."""
        probe.next("online")
        broker.publish("lab/events/a", "one " + "x" * 100000, options=self.client())
        self.assertEqual(len(probe.next("message")["payload"]), 100004)
        probe.say("publish 1 1 0 lab/out " + "y" * 100000)
        probe.next("published", ticket=1, outcome="taken")

    def client(self):
        return ("-h", "localhost", "--cafile", str(self.keys / "ca.crt"))


class Http(ProxyTest):
    def test_connect(self):
        """through an HTTP proxy the link connects with CONNECT, and messages go both ways"""
        broker, relay = self.broker(), self.relay(HttpProxy)
        self.whole(broker, self.probe(broker.port, f"proxy=http:{relay.port}"))
        self.assertEqual(relay.asked, [f"CONNECT localhost:{broker.port} HTTP/1.1"])

    def test_session_kept(self):
        """the broker keeps the session of a link behind a proxy, and it ends with a goodbye and not with the last will"""
        broker, relay = self.broker(), self.relay(HttpProxy)
        options = (f"proxy=http:{relay.port}", "will_topic=lab/status", "will_payload=lost", "goodbye_payload=bye")
        probe = self.probe(broker.port, *options)
        probe.next("online")
        wait_until(lambda: broker.log().count("Sending SUBACK") >= 2, "subscribed")
        self.assertEqual(probe.close(), 0)
        broker.publish("lab/events/a", "missed", options=self.client())
        self.assertEqual(broker.read("lab/status", 1, options=self.client()), ["bye"])
        self.probe(broker.port, *options).next("message", payload="missed")

    def test_password(self):
        """the proxy gets the user name and password, which appear in no message; a wrong one is reported"""
        broker, relay = self.broker(), self.relay(HttpProxy, ("lab", "s3cret:x"))
        probe = self.probe(broker.port, f"proxy=http:{relay.port}", "proxy_username=lab", self.password("wr0ng"))
        probe.error("Check link.proxy_username and link.proxy_password_file")
        self.password("s3cret:x")
        self.whole(broker, probe)
        self.assertFalse([line for line in probe.errors if "s3cret" in line or "wr0ng" in line or "czNj" in line])

    def test_refused(self):
        """what the proxy refuses is reported with its own words and what to check"""
        broker, relay = self.broker(), self.relay(HttpProxy)
        relay.answer = b"HTTP/1.1 403 Forbidden port\r\nX: y\r\n\r\n"
        probe = self.probe(broker.port, f"proxy=http:{relay.port}")
        probe.error("HTTP/1.1 403 Forbidden port. Check its rules")
        relay.answer = b"+OK POP3 ready\r\n\r\n"
        probe.error("is no HTTP proxy")

    def test_wrong_name(self):
        """behind a proxy, too, a broker with the certificate of another name is refused"""
        broker, relay = self.broker("elsewhere"), self.relay(HttpProxy)
        probe = self.probe(broker.port, f"proxy=http:{relay.port}")
        probe.error("hostname mismatch")
        self.assertNotEqual(probe.health()["state"], "online")

    def test_wrong_authority(self):
        """behind a proxy, too, a broker with a certificate that nobody trusted has signed is refused"""
        broker, relay = self.broker("stranger"), self.relay(HttpProxy)
        probe = self.probe(broker.port, f"proxy=http:{relay.port}")
        probe.error("unable to get local issuer certificate")
        self.assertNotEqual(probe.health()["state"], "online")


class Socks(ProxyTest):
    def test_connect(self):
        """through a SOCKS5 proxy, which gets the name of the broker, messages go both ways and the session is kept"""
        broker, relay = self.broker(), self.relay(SocksProxy)
        probe = self.probe(broker.port, f"proxy=socks5:{relay.port}")
        self.whole(broker, probe)
        self.assertEqual(relay.asked, [f"localhost:{broker.port}"])
        self.assertEqual(probe.close(), 0)
        broker.publish("lab/events/a", "missed", options=self.client())
        self.probe(broker.port, f"proxy=socks5:{relay.port}").next("message", payload="missed")

    def test_password(self):
        """a SOCKS5 proxy gets the user name and password; a wrong one is reported"""
        broker, relay = self.broker(), self.relay(SocksProxy, ("lab", "s3cret"))
        probe = self.probe(broker.port, f"proxy=socks5:{relay.port}", "proxy_username=lab", self.password("wr0ng"))
        probe.error("refuses the user name or password")
        self.password("s3cret")
        self.whole(broker, probe)

    def test_refused(self):
        """why a SOCKS5 proxy does not connect is reported"""
        broker, relay = self.broker(), self.relay(SocksProxy)
        relay.answer = 2
        self.probe(broker.port, f"proxy=socks5:{relay.port}").error("its rules forbid that")


class Alpn(ProxyTest):
    def alpn(self, *options):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.keys / "broker.crt", self.keys / "broker.key")
        context.set_alpn_protocols([ALPN])
        broker = LimitedBroker(tls=context)
        self.addCleanup(broker.close)
        self.probe(broker.port, f"alpn={ALPN}", *options).next("online")
        return broker.connects[0]["alpn"]

    def test_direct(self):
        """the protocol that link.alpn names is asked for in the TLS hello, as AWS IoT Core wants it on port 443"""
        self.assertEqual(self.alpn(), ALPN)

    def test_behind_proxy(self):
        """behind a proxy, too, link.alpn is asked for"""
        self.assertEqual(self.alpn(f"proxy=http:{self.relay(HttpProxy).port}"), ALPN)


if __name__ == "__main__":
    unittest.main()
