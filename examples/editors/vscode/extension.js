// Starts `netc lsp` when the first .net file is opened.
const { workspace } = require('vscode');
const { LanguageClient } = require('vscode-languageclient/node');

let client;

exports.activate = () => {
  const netc = workspace.getConfiguration('netc').get('path');
  client = new LanguageClient('netc', 'netc', { command: netc, args: ['lsp'] }, { documentSelector: [{ language: 'net' }] });
  return client.start();
};

exports.deactivate = () => client && client.stop();
