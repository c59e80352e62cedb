"""An MQTT 5 broker with the published limits of hosted ones, for one client at a time: AWS IoT Core and Azure Event Grid."""
import ssl
import struct
import threading
import time

from link_parts import Listener

NOT_AUTHORIZED, TOPIC_NAME_INVALID, PACKET_TOO_LARGE, QUOTA_EXCEEDED = 0x87, 0x90, 0x95, 0x97
RETAIN_NOT_SUPPORTED, QOS_NOT_SUPPORTED = 0x9A, 0x9B
CONNECT, PUBLISH, PUBACK, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 4, 8, 12, 14


def varint(number):
    data = b""
    while True:
        number, digit = divmod(number, 128)
        data += bytes([digit | (128 if number else 0)])
        if not number:
            return data


def text(words):
    data = words.encode()
    return struct.pack(">H", len(data)) + data


def packet(head, body):
    return bytes([head]) + varint(len(body)) + body


class Limits:
    """What is published, mid-2025: AWS IoT Core's "message broker and protocol limits and quotas" by default."""
    levels = 8             # of a topic: 7 slashes
    topic_bytes = 256
    message_bytes = 128 * 1024
    per_second = 100       # publications of one connection; PUBACK 0x97 beyond it
    receive_maximum = 100
    maximum_qos = 1
    retain = True
    session_expiry_s = 7 * 24 * 3600
    server_keep_alive_s = None
    names_reasons = True   # a DISCONNECT with a reason comes before the end; else it just closes


class EventGrid(Limits):
    """"Azure Event Grid quotas and limits" for a namespace whose topics are not retained."""
    message_bytes = 512 * 1024
    retain = False
    session_expiry_s = 8 * 3600
    server_keep_alive_s = 1160


class LimitedBroker(Listener):
    def __init__(self, limits=Limits, tls=None, port=0):
        self.limits, self.tls = limits, tls
        self.forbidden = set()      # topics: publishing on them ends the session
        self.refused = {}           # topic: reason of the PUBACK
        self.forbidden_filters = set()
        self.connects, self.taken, self.ended_over = [], [], []
        self.counts, self.over_quota = {}, 0
        self.lock = threading.Lock()
        self.client = None
        super().__init__(port)

    def close(self):
        super().close()
        if self.client:
            self.client.close()

    def serve(self, client):
        try:
            if self.tls:
                client = self.tls.wrap_socket(client, server_side=True)
            stream = client.makefile("rb")
            while self._packet(client, *self._read(stream)):
                pass
        except (OSError, EOFError, IndexError, ssl.SSLError):
            pass
        client.close()

    @staticmethod
    def _read(stream):
        head = stream.read(1)
        if not head:
            raise EOFError
        length = shift = 0
        while True:
            digit = stream.read(1)[0]
            length |= (digit & 127) << shift
            shift += 7
            if digit < 128:
                return head[0], stream.read(length)

    def _end(self, client, reason, over):
        self.ended_over.append(over)
        if self.limits.names_reasons:
            client.sendall(packet(DISCONNECT << 4, bytes([reason, 0])))
        return False

    def _packet(self, client, head, body):
        kind = head >> 4
        if kind == CONNECT:
            return self._connect(client, body)
        if kind == PUBLISH:
            return self._publish(client, head, body)
        if kind == SUBSCRIBE:
            return self._subscribe(client, body)
        if kind == PINGREQ:
            client.sendall(bytes([0xD0, 0]))
        return kind != DISCONNECT

    def _connect(self, client, body):
        flags = body[7]
        self.connects.append({"alpn": client.selected_alpn_protocol() if self.tls else None,
                              "will_retained": bool(flags & 0x20)})
        if flags & 0x20 and not self.limits.retain:
            client.sendall(packet(0x20, bytes([0, RETAIN_NOT_SUPPORTED, 0])))
            return False
        told = struct.pack(">BHBB", 0x21, self.limits.receive_maximum, 0x24, self.limits.maximum_qos)
        told += struct.pack(">BB", 0x25, self.limits.retain)
        told += struct.pack(">BI", 0x11, self.limits.session_expiry_s)
        if self.limits.server_keep_alive_s:
            told += struct.pack(">BH", 0x13, self.limits.server_keep_alive_s)
        client.sendall(packet(0x20, bytes([0, 0]) + varint(len(told)) + told))
        self.client = client
        return True

    def _reason(self, topic, payload):
        """Why a publication ends the session; 0: it does not."""
        if topic.count("/") >= self.limits.levels or len(topic.encode()) > self.limits.topic_bytes:
            return TOPIC_NAME_INVALID
        if len(payload) > self.limits.message_bytes:
            return PACKET_TOO_LARGE
        return NOT_AUTHORIZED if topic in self.forbidden else 0

    def _publish(self, client, head, body):
        qos, retain = head >> 1 & 3, head & 1
        length = struct.unpack(">H", body[:2])[0]
        topic, at = body[2:2 + length].decode(), 2 + length
        message_id = body[at:at + 2] if qos else b""
        at += len(message_id)
        assert body[at] < 128  # the agent's properties are short
        payload = body[at + 1 + body[at]:]
        if retain and not self.limits.retain:
            return self._end(client, RETAIN_NOT_SUPPORTED, topic)
        if qos > self.limits.maximum_qos:
            return self._end(client, QOS_NOT_SUPPORTED, topic)
        reason = self._reason(topic, payload)
        if reason:
            return self._end(client, reason, topic)
        second = int(time.monotonic())
        self.counts[second] = self.counts.get(second, 0) + 1
        answer = self.refused.get(topic, 0)
        if self.counts[second] > self.limits.per_second:
            answer = QUOTA_EXCEEDED
            self.over_quota += 1
        if not answer:
            with self.lock:
                self.taken.append((topic, payload.decode()))
        if qos:
            client.sendall(packet(PUBACK << 4, message_id + (bytes([answer, 0]) if answer else b"")))
        return True

    def _subscribe(self, client, body):
        at = 3 + body[2]
        length = struct.unpack(">H", body[at:at + 2])[0]
        wanted = body[at + 2:at + 2 + length].decode()
        if wanted in self.forbidden_filters:
            return self._end(client, NOT_AUTHORIZED, wanted)
        client.sendall(packet(0x90, body[:2] + bytes([0, 1])))
        return True

    def publish(self, topic, payload, response_topic=None):
        """To the client, QoS 1, whatever it has subscribed to."""
        extra = b"\x08" + text(response_topic) if response_topic else b""
        body = text(topic) + b"\0\1" + varint(len(extra)) + extra + payload.encode()
        self.client.sendall(packet(0x32, body))

    def payloads(self, topic):
        with self.lock:
            return [payload for on, payload in self.taken if on == topic]
