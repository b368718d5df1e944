-- Neovim 0.7 or later: `netc lsp` for every .net file.  Copy this into init.lua,
-- or `:luafile` it; netc must be on the PATH.
local clients = {}

local function start(buffer)
  local name = vim.api.nvim_buf_get_name(buffer)
  local config = {
    name = 'netc',
    cmd = { 'netc', 'lsp' },
    root_dir = name ~= '' and vim.fn.fnamemodify(name, ':p:h') or vim.fn.getcwd(),
    on_attach = function(_, attached)
      local function map(keys, action)
        vim.keymap.set('n', keys, action, { buffer = attached, silent = true })
      end
      map('K', vim.lsp.buf.hover)
      map('gd', vim.lsp.buf.definition)
      map('gr', vim.lsp.buf.references)
      map('<leader>r', vim.lsp.buf.rename)
      map('<leader>a', vim.lsp.buf.code_action)
      map('<leader>f', function()
        if vim.lsp.buf.format then vim.lsp.buf.format() else vim.lsp.buf.formatting_sync() end
      end)
      vim.api.nvim_buf_set_option(attached, 'omnifunc', 'v:lua.vim.lsp.omnifunc')
      if vim.lsp.inlay_hint then vim.lsp.inlay_hint.enable(true, { bufnr = attached }) end
    end,
  }
  if vim.lsp.start then
    vim.api.nvim_buf_call(buffer, function() vim.lsp.start(config) end)
    return
  end
  local root = config.root_dir
  local client = clients[root] and vim.lsp.get_client_by_id(clients[root])
  if not client or client.is_stopped() then clients[root] = vim.lsp.start_client(config) end
  vim.lsp.buf_attach_client(buffer, clients[root])
end

vim.api.nvim_create_autocmd('FileType', {
  pattern = 'net',
  callback = function(event) start(event.buf) end,
})
