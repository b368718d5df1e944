-- What test_neovim.py has Neovim do with a file: a session as a user has one,
-- and what was seen, as JSON in the file that $SEEN names.
local seen = {}
local buffer = vim.api.nvim_get_current_buf()

local function wait(what, condition)
  if not vim.wait(10000, condition, 10) then seen.late = what end
end

local function ask(method, params)
  for _, answer in pairs(vim.lsp.buf_request_sync(buffer, method, params, 10000) or {}) do
    if answer.result then return answer.result end
  end
end

local function at(line, column)
  vim.api.nvim_win_set_cursor(0, { line, column })
  return vim.lsp.util.make_position_params(0, 'utf-16')
end

local function group(line, column)
  return vim.fn.synIDattr(vim.fn.synID(line, column, 1), 'name')
end

local function messages()
  return vim.tbl_map(function(d) return d.message end, vim.diagnostic.get(buffer))
end

wait('a client', function() return #vim.lsp.buf_get_clients(buffer) > 0 end)
local id, client = next(vim.lsp.buf_get_clients(buffer))
wait('its initialization', function() return client.initialized end)
seen.filetype = vim.bo.filetype
wait('the first diagnostics', function() return #vim.diagnostic.get(buffer) > 0 end)
seen.first = messages()
seen.where = { vim.diagnostic.get(buffer)[1].lnum, vim.diagnostic.get(buffer)[1].col, vim.diagnostic.get(buffer)[1].end_col }

-- The quick fix, as `vim.lsp.buf.code_action` would apply it.
local range = { start = { line = 4, character = 4 }, ['end'] = { line = 4, character = 4 } }
local actions = ask('textDocument/codeAction', {
  textDocument = vim.lsp.util.make_text_document_params(buffer), range = range,
  context = { diagnostics = vim.lsp.diagnostic.get_line_diagnostics(buffer, 4), only = { 'quickfix' } },
})
seen.actions = vim.tbl_map(function(action) return action.title end, actions)
vim.lsp.util.apply_workspace_edit(actions[1].edit, 'utf-16')
wait('clean diagnostics', function() return #vim.diagnostic.get(buffer) == 0 end)
seen.clean = messages()

seen.hover = ask('textDocument/hover', at(5, 6)).contents.value
seen.definition = ask('textDocument/definition', at(6, 5))

-- Typing, beyond characters of two units, so that every position counts.
vim.api.nvim_buf_set_text(buffer, 6, 4, 6, 8, { 'reluu  # 😀 é' })
wait('a diagnostic after typing', function() return #vim.diagnostic.get(buffer) > 0 end)
seen.typed = messages()
local line = vim.api.nvim_buf_get_lines(buffer, 6, 7, false)[1]
vim.api.nvim_buf_set_text(buffer, 6, #line, 6, #line, { ' after' })
vim.api.nvim_buf_set_text(buffer, 6, 8, 6, 9, { '' })
wait('clean diagnostics again', function() return #vim.diagnostic.get(buffer) == 0 end)

seen.completion = vim.tbl_map(function(item) return item.label end, ask('textDocument/completion', at(5, 11)))
local rename = at(1, 7)
rename.newName = 'Double'
vim.lsp.util.apply_workspace_edit(ask('textDocument/rename', rename), 'utf-16')
vim.lsp.util.apply_text_edits(ask('textDocument/formatting', {
  textDocument = vim.lsp.util.make_text_document_params(buffer), options = { tabSize = 4, insertSpaces = true },
}), buffer, 'utf-16')
wait('clean diagnostics at the end', function() return #vim.diagnostic.get(buffer) == 0 end)
seen.lines = vim.api.nvim_buf_get_lines(buffer, 0, -1, false)
seen.colours = { group(1, 1), group(5, 5), group(5, 19), group(7, 12), group(11, 5), group(11, 15) }

vim.lsp.stop_client(id)
wait('the end of the client', function() return client.is_stopped() end)
vim.fn.writefile({ vim.json.encode(seen) }, vim.env.SEEN)
vim.cmd('qall!')
