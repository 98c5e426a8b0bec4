// Calls kit.v1.Kinds/Unary with @grpc/grpc-js and prints what its users get to see.
// Arguments: the address, kit.proto, status_details.proto; for TLS, a file with the authority's
// certificate. Standard input and output: as grpcio_client.py.
import fs from 'node:fs';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';
import protobuf from 'protobufjs';

const [address, kitProto, detailsProto, authority] = process.argv.slice(2);
const { kit } = grpc.loadPackageDefinition(loader.loadSync(kitProto));
const details = await protobuf.load(detailsProto);
const { credentials } = grpc;
const client = new kit.v1.Kinds(
  address, authority ? credentials.createSsl(fs.readFileSync(authority)) : credentials.createInsecure(),
);

function errorInfo(bytes) {
  const status = details.lookupType('google.rpc.Status').decode(bytes ?? Buffer.alloc(0));
  const info = status.details.find((any) => any.typeUrl.endsWith('/google.rpc.ErrorInfo'));
  return info ? details.lookupType('google.rpc.ErrorInfo').decode(info.value) : {};
}

const call = (pairs) => new Promise((done) => {
  const metadata = new grpc.Metadata();
  for (const [name, value] of pairs) metadata.add(name, value);
  const options = { deadline: Date.now() + 10_000 };
  if (authority) options.credentials = credentials.createFromMetadataGenerator((_, give) => give(null, metadata));
  client.Unary({ text: 'word' }, authority ? new grpc.Metadata() : metadata, options, (error, answer) => {
    if (!error) return done({ code: 0, text: answer.text });
    const { reason, domain } = errorInfo(error.metadata.get('grpc-status-details-bin')[0]);
    const challenge = error.metadata.get('www-authenticate')[0];
    return done({ code: error.code, reason, domain, challenge });
  });
});

const seen = [];
for (const pairs of JSON.parse(fs.readFileSync(0))) seen.push(await call(pairs));
console.log(JSON.stringify(seen));
client.close();
