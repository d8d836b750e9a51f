import { describe, test } from "bun:test";
import { Flag, FrameType } from "./frame.ts";
import { Role } from "./handler.ts";
import { checkAnswer, clientWithRequests, padded, type Row } from "./testing/answers.ts";
import { data, GET, headers, joined, OK, POST, rst, text } from "./testing/frames.ts";
import { EngineUnderTest } from "./testing/peer.ts";

const POST_HEADERS = headers(1, POST);

const REQUEST_ROWS: Row[] = [
  ["§8.1 trailers", joined(POST_HEADERS, data(1, "x"), headers(1, { a: "b" }, true)), ""],
  ["§8.1 trailers without END_STREAM", joined(POST_HEADERS, headers(1, { a: "b" })), "RstStream 1 ProtocolError"],
  [
    "§8.1 trailers with a pseudo-field",
    joined(POST_HEADERS, headers(1, { ":path": "/" }, true)),
    "RstStream 1 ProtocolError",
  ],
  [
    "§8.1 trailers with a status",
    joined(POST_HEADERS, headers(1, { ":status": "200" }, true)),
    "RstStream 1 ProtocolError",
  ],
  [
    "§8.1.1 content-length and as much DATA",
    joined(post({ "content-length": "3" }), data(1, "ab"), data(1, "c", true)),
    "",
  ],
  [
    "§8.1.1 content-length and less DATA",
    joined(post({ "content-length": "3" }), data(1, "ab", true)),
    "RstStream 1 ProtocolError",
  ],
  [
    "§8.1.1 content-length and more DATA",
    joined(post({ "content-length": "3" }), data(1, "abcd")),
    "RstStream 1 ProtocolError",
  ],
  [
    "§8.1.1 content-length without content",
    headers(1, { ...POST, "content-length": "3" }, true),
    "RstStream 1 ProtocolError",
  ],
  ["§8.1.1 content-length 0 without content", headers(1, { ...POST, "content-length": "0" }, true), ""],
  [
    "§8.1.1 content-length, less DATA and trailers",
    joined(post({ "content-length": "3" }), data(1, "ab"), headers(1, { a: "b" }, true)),
    "RstStream 1 ProtocolError",
  ],
  [
    "§8.1.1 padding is no content",
    joined(post({ "content-length": "2" }), padded(FrameType.Data, Flag.EndStream, 1, 5, text("ab"))),
    "",
  ],
  ["§8.1.1 content-length that is no number", post({ "content-length": "3x" }), "RstStream 1 ProtocolError"],
  ["§8.1.1 content-length with a sign", post({ "content-length": "+3" }), "RstStream 1 ProtocolError"],
  ["§8.1.1 content-length of nothing", post({ "content-length": "" }), "RstStream 1 ProtocolError"],
  [
    "§8.1.1 content-length twice",
    headers(1, [...Object.entries(POST), ["content-length", "3"], ["content-length", "3"]]),
    "RstStream 1 ProtocolError",
  ],
  ["§8.2 an upper-case name", get({ "X-a": "b" }), "RstStream 1 ProtocolError"],
  ["§8.2.1 a name with a space", get({ "x a": "b" }), "RstStream 1 ProtocolError"],
  ["§8.2.1 a name with a colon inside", get({ "x:a": "b" }), "RstStream 1 ProtocolError"],
  ["§8.2.1 a name with a high byte", get({ "x\x80": "b" }), "RstStream 1 ProtocolError"],
  ["§8.2.1 an empty name", get({ "": "b" }), "RstStream 1 ProtocolError"],
  ["§8.2.1 a value with NUL", get({ x: "a\0b" }), "RstStream 1 ProtocolError"],
  ["§8.2.1 a value with LF", get({ x: "a\nb" }), "RstStream 1 ProtocolError"],
  ["§8.2.1 a value with CR", get({ x: "a\rb" }), "RstStream 1 ProtocolError"],
  ["§8.2.1 a value with a space in front", get({ x: " a" }), "RstStream 1 ProtocolError"],
  ["§8.2.1 a value with a tab behind", get({ x: "a\t" }), "RstStream 1 ProtocolError"],
  ["§8.2.1 a value with a space inside, high bytes, or nothing", get({ x: "a b", y: "\xe9\xff", z: "" }), ""],
  ...["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"].map(
    (name): Row => [`§8.2.2 ${name}`, get({ [name]: "x" }), "RstStream 1 ProtocolError"],
  ),
  ["§8.2.2 te: trailers", get({ te: "trailers" }), ""],
  ["§8.2.2 te: gzip", get({ te: "gzip" }), "RstStream 1 ProtocolError"],
  ["§8.2.2 te: trailers, deflate", get({ te: "trailers, deflate" }), "RstStream 1 ProtocolError"],
  [
    "§8.2.2 connection in trailers",
    joined(POST_HEADERS, headers(1, { connection: "x" }, true)),
    "RstStream 1 ProtocolError",
  ],
  ["§8.2.3 cookie in parts", headers(1, [...Object.entries(GET), ["cookie", "a=b"], ["cookie", "c=d"]], true), ""],
  ["§8.3 an unknown pseudo-field", get({ ":test": "x" }), "RstStream 1 ProtocolError"],
  ["§8.3 a response's pseudo-field", headers(1, { ...GET, ":status": "200" }, true), "RstStream 1 ProtocolError"],
  [
    "§8.3 a pseudo-field after others",
    headers(1, { ":method": "GET", ":scheme": "http", a: "b", ":path": "/" }, true),
    "RstStream 1 ProtocolError",
  ],
  [
    "§8.3 a pseudo-field twice",
    headers(1, [...Object.entries(GET), [":path", "/"]], true),
    "RstStream 1 ProtocolError",
  ],
  ["§8.3.1 without :method", headers(1, { ":scheme": "http", ":path": "/" }, true), "RstStream 1 ProtocolError"],
  ["§8.3.1 without :scheme", headers(1, { ":method": "GET", ":path": "/" }, true), "RstStream 1 ProtocolError"],
  ["§8.3.1 without :path", headers(1, { ":method": "GET", ":scheme": "http" }, true), "RstStream 1 ProtocolError"],
  ["§8.3.1 without anything", headers(1, {}, true), "RstStream 1 ProtocolError"],
  ["§8.3.1 without :authority", headers(1, { ":method": "GET", ":scheme": "http", ":path": "/", host: "a" }, true), ""],
  ["§8.3.1 an empty :path", headers(1, { ...GET, ":path": "" }, true), "RstStream 1 ProtocolError"],
  ["§8.3.1 a :path without a slash", headers(1, { ...GET, ":path": "a" }, true), "RstStream 1 ProtocolError"],
  ["§8.3.1 a :path with a space", headers(1, { ...GET, ":path": "/a b" }, true), "RstStream 1 ProtocolError"],
  ["§8.3.1 OPTIONS *", headers(1, { ...GET, ":method": "OPTIONS", ":path": "*" }, true), ""],
  ["§8.3.1 GET *", headers(1, { ...GET, ":path": "*" }, true), "RstStream 1 ProtocolError"],
  ["§8.3.1 a :method that is no token", headers(1, { ...GET, ":method": "G T" }, true), "RstStream 1 ProtocolError"],
  ["§8.3.1 an empty :method", headers(1, { ...GET, ":method": "" }, true), "RstStream 1 ProtocolError"],
  ["§8.3.1 a :scheme that is none", headers(1, { ...GET, ":scheme": "1http" }, true), "RstStream 1 ProtocolError"],
  ["§8.3.1 another scheme", headers(1, { ...GET, ":scheme": "grpc" }, true), ""],
  [
    "§8.3.1 :authority with user information",
    headers(1, { ...GET, ":authority": "u@a" }, true),
    "RstStream 1 ProtocolError",
  ],
  ["§8.3.1 :authority with a port", headers(1, { ...GET, ":authority": "[::1]:80" }, true), ""],
  ["§8.3.1 host as :authority", get({ host: "A:80" }), ""],
  ["§8.3.1 host unlike :authority", get({ host: "b" }), "RstStream 1 ProtocolError"],
  ["§8.5 CONNECT", headers(1, { ":method": "CONNECT", ":authority": "a:443" }), ""],
  [
    "§8.5 CONNECT with :path",
    headers(1, { ":method": "CONNECT", ":authority": "a:443", ":path": "/" }),
    "RstStream 1 ProtocolError",
  ],
  [
    "§8.5 CONNECT with :scheme",
    headers(1, { ":method": "CONNECT", ":authority": "a:443", ":scheme": "http" }),
    "RstStream 1 ProtocolError",
  ],
  ["§8.5 CONNECT without :authority", headers(1, { ":method": "CONNECT" }), "RstStream 1 ProtocolError"],
  [
    "§8.5 CONNECT with an empty :authority",
    headers(1, { ":method": "CONNECT", ":authority": "" }),
    "RstStream 1 ProtocolError",
  ],
  [
    "§8.5 DATA in a tunnel",
    joined(headers(1, { ":method": "CONNECT", ":authority": "a:443" }), data(1, "x", true)),
    "",
  ],
  [
    "§8.5 HEADERS in a tunnel",
    joined(headers(1, { ":method": "CONNECT", ":authority": "a:443" }), headers(1, { a: "b" }, true)),
    "RstStream 1 ProtocolError",
  ],
  ["§4 of RFC 8441, extended CONNECT", headers(1, { ...GET, ":method": "CONNECT", ":protocol": "websocket" }), ""],
  [
    "§4 of RFC 8441, :protocol without CONNECT",
    headers(1, { ...GET, ":protocol": "websocket" }),
    "RstStream 1 ProtocolError",
  ],
  [
    "§4 of RFC 8441, extended CONNECT without :path",
    headers(1, { ":method": "CONNECT", ":scheme": "http", ":authority": "a", ":protocol": "x" }),
    "RstStream 1 ProtocolError",
  ],
  [
    "§4 of RFC 8441, an empty :protocol",
    headers(1, { ...GET, ":method": "CONNECT", ":protocol": "" }),
    "RstStream 1 ProtocolError",
  ],
];

/** The client of clientWithRequests(). */
const RESPONSE_ROWS: Row[] = [
  ["§8.1 DATA before the head", data(1, "x"), "RstStream 1 ProtocolError"],
  [
    "§8.1 DATA after an interim head",
    joined(headers(1, { ":status": "100" }), data(1, "x")),
    "RstStream 1 ProtocolError",
  ],
  [
    "§8.1 trailers after an interim head",
    joined(headers(1, { ":status": "100" }), headers(1, { a: "b" }, true)),
    "RstStream 1 ProtocolError",
  ],
  ["§8.1 an interim head that ends the stream", headers(1, { ":status": "100" }, true), "RstStream 1 ProtocolError"],
  [
    "§8.1 interim heads, a head, DATA, trailers",
    joined(
      headers(1, { ":status": "100" }),
      headers(1, { ":status": "103" }),
      headers(1, OK),
      data(1, "x"),
      headers(1, { a: "b" }, true),
    ),
    "",
  ],
  ["§8.1 a head only", headers(1, OK, true), ""],
  ["§8.1 two final heads", joined(headers(1, OK), headers(1, OK, true)), "RstStream 1 ProtocolError"],
  ["§8.1 RST_STREAM NO_ERROR after a whole response", joined(headers(1, OK, true), rst(1, 0)), ""],
  [
    "§8.1.1 content-length and less DATA",
    joined(headers(1, { ...OK, "content-length": "3" }), data(1, "ab", true)),
    "RstStream 1 ProtocolError",
  ],
  [
    "§8.1.1 content-length and more DATA",
    joined(headers(1, { ...OK, "content-length": "1" }), data(1, "ab")),
    "RstStream 1 ProtocolError",
  ],
  ["§8.1.1 content-length of a 304", headers(1, { ":status": "304", "content-length": "3" }, true), ""],
  ["§8.1.1 DATA of a 204", joined(headers(1, { ":status": "204" }), data(1, "x")), "RstStream 1 ProtocolError"],
  ["§8.1.1 content-length of a response to HEAD", headers(3, { ...OK, "content-length": "3" }, true), ""],
  ["§8.1.1 DATA of a response to HEAD", joined(headers(3, OK), data(3, "x")), "RstStream 3 ProtocolError"],
  ["§8.3.2 without :status", headers(1, { a: "b" }), "RstStream 1 ProtocolError"],
  [
    "§8.3.2 :status twice",
    headers(1, [
      [":status", "200"],
      [":status", "200"],
    ]),
    "RstStream 1 ProtocolError",
  ],
  ["§8.3.2 :status of two digits", headers(1, { ":status": "20" }), "RstStream 1 ProtocolError"],
  ["§8.3.2 :status that is no number", headers(1, { ":status": "2xx" }), "RstStream 1 ProtocolError"],
  ["§8.3.2 :status below 100", headers(1, { ":status": "099" }), "RstStream 1 ProtocolError"],
  ["§8.3.2 a request's pseudo-field", headers(1, { ":status": "200", ":path": "/" }), "RstStream 1 ProtocolError"],
  ["§8.6 :status 101", headers(1, { ":status": "101" }), "RstStream 1 ProtocolError"],
  ["§8.2.2 connection in a response", headers(1, { ...OK, connection: "close" }), "RstStream 1 ProtocolError"],
  ["§8.5 a tunnel", joined(headers(5, OK), data(5, "x"), data(5, "y", true)), ""],
  ["§8.5 content-length of a tunnel", joined(headers(5, { ...OK, "content-length": "1" }), data(5, "xyz")), ""],
  ["§8.5 HEADERS in a tunnel", joined(headers(5, OK), headers(5, { a: "b" }, true)), "RstStream 5 ProtocolError"],
  ["§8.5 CONNECT refused with trailers", joined(headers(5, { ":status": "502" }), headers(5, { a: "b" }, true)), ""],
];

describe("a server takes or refuses requests", () => {
  for (const [name, bytes, want] of REQUEST_ROWS) {
    test(name, () => {
      checkAnswer(() => EngineUnderTest.started(Role.Server), bytes, want);
    });
  }
});

describe("a client takes or refuses responses", () => {
  for (const [name, bytes, want] of RESPONSE_ROWS) {
    test(name, () => {
      checkAnswer(clientWithRequests, bytes, want);
    });
  }
});

describe("extended CONNECT that we do not offer", () => {
  test("§3 of RFC 8441: is malformed", () => {
    const request = headers(1, { ...GET, ":method": "CONNECT", ":protocol": "websocket" });
    checkAnswer(
      () => EngineUnderTest.started(Role.Server, { connectProtocol: false }),
      request,
      "RstStream 1 ProtocolError",
    );
  });
});

function post(more: Readonly<Record<string, string>>): Uint8Array {
  return headers(1, { ...POST, ...more });
}

function get(more: Readonly<Record<string, string>>): Uint8Array {
  return headers(1, { ...GET, ...more }, true);
}
